"""Tests of what a driver says about a cluster that it cannot join."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.sweep.execution.cluster.joining import join_error
from support.waiting import PATIENCE_S, wait_until

VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
JOIN = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from autohier.errors import InputError
from autohier.sweep.execution.ray_session.session import ray_session
from support.sweep_runs.plans import make_plan
try:
    with ray_session(make_plan(Path(sys.argv[1]), ray_address=sys.argv[2])):
        print("joined")
except InputError as error:
    print(error)
"""


def refused() -> ConnectionError:
    """Return the error that Ray 2.60 raises if the token is missing or wrong."""
    error = ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379")
    error.__cause__ = RuntimeError(
        "Last connection error: ray.exceptions.AuthenticationError: InvalidAuthToken"
    )
    return error


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_a_cluster_that_asks_for_a_token_differs_from_one_that_does_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = str(join_error("head:6379", refused()))
    assert (
        "the Ray cluster at head:6379 runs and asks for its token, but got no RAY_AUTH_MODE=token" in without
    )
    assert "'ray start --head' asks for ~/.ray/auth_token, if a local Ray has left one" in without
    assert "must be a reachable Ray cluster" in str(join_error("head:6379", ConnectionError("refused")))

    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "another token, or none, from ~/.ray/auth_token: set RAY_AUTH_TOKEN_PATH" in str(
        join_error("head:6379", refused())
    )
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/shared/token")
    assert "or none, from /shared/token" in str(join_error("head:6379", refused()))


@pytest.fixture
def closed_head(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A head that found the token of an earlier local Ray: its address, and the environment of its user."""
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("ab" * 32)
    token.chmod(0o600)
    own = {name: value for name, value in os.environ.items() if name not in {*VARIABLES, "RAY_ADDRESS"}}
    own |= {"HOME": str(tmp_path), "RAY_gcs_server_port_wait_time_s": "2", "RAY_USAGE_STATS_ENABLED": "0"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--num-cpus=1", "--include-dashboard=false", "--object-store-memory=100000000", "--block")
    head = subprocess.Popen(
        [Path(sys.executable).with_name("ray"), "start", "--head", f"--port={port}", *options],
        env=own | {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"127.0.0.1:{port}"
        wait_until(lambda: _listens(port), "a head that listens")
        yield address, own
    finally:
        head.terminate()
        head.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_ray_s_own_refusal_is_understood(tmp_path: Path, closed_head: tuple[str, dict[str, str]]) -> None:
    address, own = closed_head
    answers = [
        subprocess.run(
            [sys.executable, "-c", JOIN, tmp_path, address],
            env=own | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, {"RAY_AUTH_MODE": "token"})
    ]
    assert f"the Ray cluster at {address} runs and asks for its token" in answers[0]
    assert answers[1] == "joined\n"
