"""Waiting for the machines of a cluster, with the nodes that Ray would list."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from autohier.errors import InputError
from autohier.sweep.execution.cluster.arrivals import wait_for_machines


def node(name: str, *, alive: bool = True, cpus: float = 4) -> dict[str, Any]:
    sizes = {"CPU": cpus, "GPU": 2.0, "memory": 3.0 * (1 << 30)}
    return {"NodeName": name, "NodeManagerHostname": f"{name}.site", "Alive": alive, "Resources": sizes}


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, Any]]]:
    """Listings of the nodes, the last of which repeats, as a fake Ray returns them."""
    found: list[list[dict[str, Any]]] = []
    fake = SimpleNamespace(
        init=lambda **_: None,
        shutdown=lambda: None,
        nodes=lambda: found.pop(0) if len(found) > 1 else found[0],
    )
    monkeypatch.setitem(__import__("sys").modules, "ray", fake)
    return found


def wait(names: Sequence[str], *, at_least: int = 1, timeout_s: float = 600.0) -> list[str]:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        wait_for_machines(address, names, at_least=at_least, timeout_s=timeout_s, say=said.append)
    return said


def test_returns_once_all_have_joined(listings: list[list[dict[str, Any]]]) -> None:
    listings += [[node("n1")], [node("n1"), node("n2", cpus=1)]]
    assert wait(["n1", "n2"]) == [
        "2 of 2 machines have joined: n1 (4 CPUs, 2 GPUs, 3.0 GB), n2 (1 CPU, 2 GPUs, 3.0 GB)"
    ]


def test_machines_are_found_by_host_name_too(listings: list[list[dict[str, Any]]]) -> None:
    listings.append([node("n1")])
    assert "n1.site" in wait(["n1.site"])[0]


def test_missing_machines_are_named(listings: list[list[dict[str, Any]]]) -> None:
    listings.append([node("n1"), node("n3", alive=False)])
    joined, warning = wait(["n1", "n2", "n3"], timeout_s=0.0)
    assert joined.startswith("1 of 3 machines have joined: n1 ")
    assert warning == "WARNING: missing after 0 s: n2, n3; the sweep starts without them"


def test_too_few_machines_are_an_error(listings: list[list[dict[str, Any]]]) -> None:
    listings.append([node("n1")])
    with pytest.raises(
        InputError, match=r"on 2 machines within 0 s, but got 1 \(n1\); missing are n2 and n3"
    ):
        wait(["n1", "n2", "n3"], at_least=2, timeout_s=0.0)


def test_all_of_many_missing_machines_are_named(listings: list[list[dict[str, Any]]]) -> None:
    names = [f"gpu-node-{number:03}.site" for number in range(64)]
    listings.append([node("gpu-node-000")])
    with pytest.raises(InputError, match=r"but got 1 \(gpu-node-000.site\); missing are ") as caught:
        wait(names, at_least=64, timeout_s=0.0)
    assert all(name in str(caught.value) for name in names)


def test_without_names_any_machines_with_cores_count(listings: list[list[dict[str, Any]]]) -> None:
    head = {**node("head", cpus=0), "NodeManagerAddress": "10.0.0.1"}
    listings += [[head], [head, {**node("n1"), "NodeManagerAddress": "10.0.0.2"}]]
    assert wait([])[0].startswith("1 of 1 machines have joined: 10.0.0.2 (4 CPUs")
    with pytest.raises(
        InputError, match=r"on 2 machines within 0 s, but got 1 \(10\.0\.0\.2\): see the logs"
    ):
        wait([], at_least=2, timeout_s=0.0)


def test_no_listener_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(InputError, match="must be a reachable Ray cluster"):
        wait_for_machines(f"127.0.0.1:{port}", ["n1"], at_least=1, timeout_s=0.0, say=print)
