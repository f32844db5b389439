"""The sweep as its actors see it: folders, device, rungs, scheduler and leases."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray

from autohier.config.trial.trial_config import TrialConfig
from autohier.data.store.reader import ClipStore
from autohier.sweep.execution.cluster.local_clips import find_clips
from autohier.sweep.execution.leases.lease_table import Holder
from autohier.sweep.execution.leases.ray_leases import RayLeases
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.early_stopping import StopDecision
from autohier.sweep.scheduling.rungs import RungReport, Rungs


@dataclass(frozen=True, slots=True)
class SweepContext:
    """Everything that the actors of one sweep have in common."""

    folder: SweepFolder
    clip_folder: Path
    stage_folder: Path
    device: str
    num_threads: int
    rungs: Rungs
    seed: int
    """Seed of the sweep. The scheduler stops trials of this seed only, not repetitions with other seeds."""
    accelerators: float = 0.0
    """Number of accelerators that a trial holds, or its share of one."""
    scheduler: Any = None
    """Handle of the actor of a SchedulerHost; None if no trial is stopped early."""
    umask: int | None = None
    """The user's umask, which a local Ray's processes do not inherit; None leaves that of the processes."""
    callbacks: tuple[str, ...] = ()
    """Names of the callbacks from `autohier.callbacks` that every trial calls."""
    admission: Any = None
    """Handle of the actor of an AdmissionTable, which says whether a machine may run trials; None if the only
    machine is the driver's."""
    broker: Any = None
    """Handle of the actor of an AcceleratorBroker, which lends accelerators to stages; None if trials hold
    their own."""
    local_clips: str | None = None
    """Folder of copies of the clips on every machine; None takes the one in the machine's environment."""
    max_width: int | None = None
    """Largest number of accelerators that a stage is lent; None if that of the broker holds."""

    def give_up(self, name: str) -> None:
        """End the leases and loans of a trial whose process died."""
        self.leases(name).give_up()
        if self.broker is not None:
            self.broker.give_up.remote(name)

    def stop_decision(self, config: TrialConfig) -> StopDecision:
        """Return the function that decides at every rung whether a trial stops."""
        if self.scheduler is None or config.seed != self.seed:
            return lambda *_: None
        return self._request_decision

    def _request_decision(self, report: RungReport) -> str | None:
        reason: str | None = ray.get(self.scheduler.decide.remote(report))
        return reason

    def open_clips(self) -> ClipStore:
        """Open the prepared clips, once per process, since actors are reused between trials."""
        return _open_clips(self.clip_folder, self.local_clips)

    def restore_umask(self) -> None:
        """Let this process create files with the permissions that the user's own processes give them."""
        if self.umask is not None:
            os.umask(self.umask)

    def leases(self, name: str) -> RayLeases:
        """Return the leases of a trial or a shared stage, by its name, which all of its processes share."""
        return RayLeases(self.stage_folder, Holder(str(self.folder.path), name))


@lru_cache(maxsize=2)
def _open_clips(shared: Path, local: str | None) -> ClipStore:
    return ClipStore.open(find_clips(shared, local).folder)
