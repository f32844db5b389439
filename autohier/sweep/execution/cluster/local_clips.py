"""Clips on the disks of the machines: copied before the search, or by the first process of a later machine.

A machine whose disk cannot hold the copy reads the shared clips; one line says why.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError

from autohier.config.sweep import LOCAL_CLIPS_VARIABLE
from autohier.data.store.local_copy import OnProgress, copy_locally
from autohier.errors import AutohierError, cause_text, one_line
from autohier.sweep.execution.cluster.admission import ADMITTED
from autohier.sweep.execution.cluster.placement import on_machine
from autohier.sweep.execution.signals import StopRequest
from autohier.text import duration_text, plural

_LOG = logging.getLogger(__name__)
_POLL_S: Final = 0.2
_QUIET_S: Final = 2.0
"""Time after which a line says how far the copies are, and another one each `_AGAIN_S`."""
_AGAIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class LocalClips:
    """Folder of the clips that a machine reads."""

    folder: Path
    fault: str = ""
    """Reason why that is the shared one; empty if it is a copy, or none is asked for."""


def find_clips(shared: Path, local: str | None, on_progress: OnProgress = lambda *_: None) -> LocalClips:
    """Return the folder from which this machine reads clips; copies them first if that is asked for.

    Args:
        shared: folder of the store that all machines share.
        local: folder of copies on every machine; None takes the one in this machine's environment.
        on_progress: see `copy_locally`.
    """
    local = local or os.environ.get(LOCAL_CLIPS_VARIABLE)
    if not local:
        return LocalClips(shared)
    try:
        return LocalClips(copy_locally(shared, Path(local), on_progress))
    except (AutohierError, OSError) as error:
        fault = one_line(cause_text(error))
        _LOG.warning("this machine reads the clips in %s: %s", shared, fault)
        return LocalClips(shared, fault)


class ClipCopier:
    """Copies the clips to one machine; an actor that answers while it copies."""

    def __init__(self) -> None:
        self._copied, self._total = 0, 1

    def copy(self, shared: Path, local: str | None) -> LocalClips:
        """Copy the clips; see `find_clips`."""
        return find_clips(shared, local, self._note)

    def progress(self) -> float:
        """Return the share that is copied."""
        return self._copied / self._total

    def _note(self, copied: int, total: int) -> None:
        self._copied, self._total = copied, max(1, total)


@dataclass(slots=True)
class _Copies:
    """Copies that are made on some machines."""

    copiers: Mapping[str, Any]
    """Actor of the `ClipCopier` on each machine, by its name."""
    pending: dict[Any, str]
    """Name of the machine by the reference of its answer."""
    folders: dict[str, LocalClips] = field(default_factory=dict)

    def take(self, timeout_s: float) -> None:
        """Take the answers that come within a time."""
        for answer in ray.wait(list(self.pending), num_returns=len(self.pending), timeout=timeout_s)[0]:
            name = self.pending.pop(answer)
            try:
                self.folders[name] = ray.get(answer)
            except RayError as error:  # a machine that was lost
                self.folders[name] = LocalClips(Path(), one_line(f"the copy failed: {cause_text(error)}"))

    def progress(self) -> float:
        """Return the share that the slowest machine has copied."""
        asked = [self.copiers[name].progress.remote() for name in self.pending.values()]
        ready, _ = ray.wait(asked, num_returns=len(asked), timeout=_POLL_S)
        try:
            return min(map(ray.get, ready), default=0.0)
        except RayError:
            return 0.0


def copy_clips(
    shared: Path,
    local: str | None,
    admission: Any,  # noqa: ANN401  actor handle
    say: Callable[[str], None],
    stop: StopRequest,
) -> None:
    """Copy the clips to all machines that may run trials, if that is asked for.

    Machines that join later copy them when their first process opens them.

    Args:
        shared: folder of the store that all machines share.
        local: folder of copies on every machine; None takes the one in its environment.
        admission: actor of the `AdmissionTable`; None if the only machine is the driver's.
        say: prints a line.
        stop: ends the wait.

    Raises:
        SweepInterruptedError: if the sweep should stop.
    """
    if not (local or os.environ.get(LOCAL_CLIPS_VARIABLE)):
        return
    actor_class = ray.remote(num_cpus=0, max_concurrency=2)(ClipCopier)
    copiers = {
        name: actor_class.options(scheduling_strategy=on_machine(node)).remote()
        for node, name in _machines(admission).items()
    }
    pending = {copier.copy.remote(shared, local): name for name, copier in copiers.items()}
    copies, started, said = _Copies(copiers, pending), time.monotonic(), 0.0
    while copies.pending:
        stop.check()
        copies.take(_POLL_S)
        waited = time.monotonic() - started
        if copies.pending and waited >= (said + _AGAIN_S if said else _QUIET_S):
            said = waited
            machines = plural(len(copies.pending), "machine")
            say(f"copying the clips to the disks of {machines}: {copies.progress():.0%}")
    _say_result(copies.folders, say, duration_text(time.monotonic() - started))


def _machines(admission: Any) -> dict[str, str]:  # noqa: ANN401
    """Return the names of the machines that may run trials, by Ray's identifiers."""
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    names = {node["NodeID"]: f"{node['NodeManagerHostname']} (node {node['NodeID'][:8]})" for node in nodes}
    if admission is None:
        return names
    verdicts = {node: ray.get(admission.verdict.remote(node)) for node in names}
    return {node: name for node, name in names.items() if verdicts[node] == ADMITTED}


def _say_result(folders: Mapping[str, LocalClips], say: Callable[[str], None], taken: str) -> None:
    local = {clips.folder for clips in folders.values() if not clips.fault}
    number = sum(not clips.fault for clips in folders.values())
    if number:
        places = ", ".join(sorted(map(str, local)))
        say(f"clips: {plural(number, 'machine')} read a copy in {places} (after {taken})")
    for name, clips in folders.items():
        if clips.fault:
            say(f"machine {name} reads the shared clips: {clips.fault}")
