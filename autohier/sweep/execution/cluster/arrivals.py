"""Machines of a Ray cluster that starts: waits until they have joined, and names those that are missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from autohier.errors import InputError, Whole
from autohier.sweep.execution.cluster.joining import join_error, require_listener
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.text import duration_text, listing, plural

_POLL_S: Final = 0.5
_NAMES: Final = ("NodeName", "NodeManagerHostname", "NodeManagerAddress")
"""Names of a machine in `ray.nodes`: given to `ray start`, of the host, and its address."""
_GIB: Final = 1 << 30


def wait_for_machines(
    address: str, names: Sequence[str], *, at_least: int, timeout_s: float, say: Callable[[str], None]
) -> None:
    """Wait until Ray runs on all machines; once the time is over, some may be missing.

    Args:
        address: ``host:port`` of the Ray cluster.
        names: names of the machines, by ``ray start --node-name``, or their host names or addresses; without
            names, any ``at_least`` machines that have cores.
        at_least: number of machines that must have joined in the end.
        timeout_s: longest wait.
        say: called with a line for the console.

    Raises:
        InputError: if the cluster cannot be joined, or fewer machines than ``at_least`` have joined in time,
            which names the missing ones.
    """
    require_listener(address)
    be_quiet()
    import ray  # noqa: PLC0415  Ray reads its environment when it is imported

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise join_error(address, error) from error
    try:
        found = _wait(ray.nodes, names, at_least, timeout_s)
    finally:
        ray.shutdown()
    missing = [name for name in names if name not in found]
    if len(found) < (min(at_least, len(names)) if names else at_least):
        missing_text = f"; missing are {listing(missing)}" if missing else ""
        raise InputError(
            f"Ray must run on {at_least} machines within {duration_text(timeout_s)}",
            got=Whole(f"{len(found)} ({listing(list(found)) or 'none'}){missing_text}"),
            hint="see the logs of Ray on the missing machines",
        )
    joined = ", ".join(f"{name} ({_size_text(node)})" for name, node in found.items())
    say(f"{len(found)} of {len(names) or at_least} machines have joined: {joined}")
    if missing:
        text = f"missing after {duration_text(timeout_s)}: {', '.join(missing)}"
        say(f"WARNING: {text}; the sweep starts without them")


def _wait(
    read_nodes: Callable[[], Sequence[Mapping[str, Any]]],
    names: Sequence[str],
    at_least: int,
    timeout_s: float,
) -> dict[str, Mapping[str, Any]]:
    """Return the machines that have joined, by name, in the order of the names."""
    deadline = time.monotonic() + timeout_s
    while True:
        nodes = [node for node in read_nodes() if node["Alive"]]
        found = _named(nodes, names) if names else _with_cores(nodes)
        if len(found) >= (len(names) or at_least) or time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_S)


def _named(nodes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    by_name = {node[key]: node for key in reversed(_NAMES) for node in nodes if node.get(key)}
    return {name: by_name[name] for name in names if name in by_name}


def _with_cores(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {node["NodeManagerAddress"]: node for node in nodes if node["Resources"].get("CPU")}


def _size_text(node: Mapping[str, Any]) -> str:
    resources = node["Resources"]
    cpus, gpus, memory = (resources.get(key, 0) for key in ("CPU", "GPU", "memory"))
    sizes = (plural(int(cpus), "CPU"), plural(int(gpus), "GPU"), f"{memory / _GIB:.1f} GB")
    return ", ".join(sizes)
