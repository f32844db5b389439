"""The only place that changes Ray's private state; test_private_state.py fails when Ray changes it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakSet

from autohier.machine import ENDING_SIGNALS

AUTHENTICATION = "RAY_AUTH_MODE"
"""Variable of the environment: "token" has Ray's processes ask each other for a token."""
_CLUSTER_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def draining_machines() -> frozenset[str]:
    """Return the machines that Ray drains, by its identifiers: they got a notice, and end at its deadline."""
    from ray._private import state  # noqa: PLC0415  Ray reads its environment when imported

    return frozenset(state.state.get_draining_nodes())


def use_prestarted_workers() -> None:
    """Let Ray Tune's actors run in the worker processes that a local Ray has started already.

    Ray Tune gives its actors a runtime environment with some of this process's variables and one for
    Lightning. Ray then starts other processes for them, which takes seconds per actor, and no public option
    turns this off. All processes of a local Ray inherit this environment, so that nothing is lost.
    """
    from ray.tune.execution import class_cache  # noqa: PLC0415  Ray reads its environment when imported

    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()


@contextmanager
def use_loopback_only() -> Iterator[None]:
    """Let all processes of a Ray that starts in the block listen on the loopback only.

    Ray does so by itself on macOS and Windows; on Linux it listens on all interfaces, and an address of the
    loopback that is passed to `ray.init` is replaced. The processes that it starts read the environment, this
    one reads a constant if it has imported Ray already.
    """
    from ray._private import ray_constants  # noqa: PLC0415  Ray reads its environment when imported

    before, was_enabled = os.environ.get(_CLUSTER_VARIABLE), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[_CLUSTER_VARIABLE] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = was_enabled
        del os.environ[_CLUSTER_VARIABLE]
        if before is not None:
            os.environ[_CLUSTER_VARIABLE] = before


def require_token() -> None:
    """Have the Ray that this process starts ask for a token, unless the environment decides."""
    from ray import _raylet  # noqa: PLC0415  Ray reads its environment when imported

    if AUTHENTICATION not in os.environ:
        os.environ[AUTHENTICATION] = "token"
        _raylet.Config.initialize("")  # type: ignore[attr-defined]  # it has read the environment before


@contextmanager
def shielded_from_signals() -> Iterator[None]:
    """Keep `ENDING_SIGNALS` from the processes of a Ray that this thread starts in the block.

    Job managers signal a process group (``timeout``) or each process of a job (Slurm, systemd). Ray would
    then end before this process ends its sweep, and its library would end this process with exit code 1.
    Ray's processes therefore get groups of their own, and they and the workers that they start inherit this
    thread's mask of blocked signals. They still end with this process. `ray.shutdown` kills them, since they
    do not see its SIGTERM.
    """
    from ray._private import services  # noqa: PLC0415  Ray reads its environment when imported

    popen = services.ConsolePopen
    if os.name == "posix":
        services.ConsolePopen = partial(_ShieldedPopen, process_group=0)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        services.ConsolePopen = popen
        if os.name == "posix":
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _ShieldedPopen(subprocess.Popen[Any]):
    """A process that leads a group of its own and does not see SIGTERM."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  those of the base class
        super().__init__(*args, **options)
        _shielded.add(self)

    def terminate(self) -> None:
        """End the process and what it has started at once; workers, in groups of their own, follow it."""
        if self.poll() is None:
            with suppress(ProcessLookupError, PermissionError):  # it has ended since
                os.killpg(self.pid, signal.SIGKILL)


_shielded: WeakSet[_ShieldedPopen] = WeakSet()


def kill_shielded_processes() -> None:
    """Kill the processes of Ray that `shielded_from_signals` has started and that still run.

    Some would outlive a process that ends without `ray.shutdown` by a minute.
    """
    for process in tuple(_shielded):
        process.terminate()
