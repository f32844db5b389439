"""Pre-flight of a sweep: no trial starts on a machine without its folders, packages or GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autohier.config.search.searched_weights import present_weights
from autohier.config.sweep import SweepPlan
from autohier.core.training.devices import find_accelerator
from autohier.sweep.execution.cluster.head_watch import watched_head
from autohier.sweep.execution.cluster.machine_check import Demands
from autohier.sweep.execution.cluster.machines import checked_machines, make_demands
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share, count_trials, fits_trial, share_of
from autohier.sweep.paths import SweepFolder, clip_folder


@dataclass(frozen=True, slots=True)
class Admitted:
    """Share of the machines that passed the check."""

    share: Share
    admission: Any = None
    """Actor of the `AdmissionTable`; None on a local Ray, whose only machine is the driver's."""


@contextmanager
def preflight(
    folder: SweepFolder,
    plan: SweepPlan,
    share: Share,
    versions: Mapping[str, str],
    say: Callable[[str], None],
    stop: StopRequest,
) -> Iterator[Admitted]:
    """Check all machines, and those that join while the block runs.

    Args:
        folder: of the sweep.
        plan: of the sweep.
        share: of a trial, as all machines offer it.
        versions: of Python and packages on the driver's machine; see `machine_check.installed_versions`.
        say: prints a line.
        stop: ends the check.

    Yields:
        The share of a trial on the machines that passed.

    Raises:
        InputError: if no machine passes.
        LostHeadError: as `StopRequest.error`, if the head of the cluster is lost.
        SweepInterruptedError: if the sweep should stop.
    """
    if not plan.ray_address:
        if share.gpus:
            find_accelerator()
        yield Admitted(share)
        return
    demands = demands_of(folder, plan, share, versions)
    with (
        watched_head(plan.ray_address, folder.resume_command, stop),
        checked_machines(
            demands,
            lambda resources: fits_trial(resources, share),
            say,
            refuse_others=plan.scaling is not None,
        ) as machines,
    ):
        share = share_of(plan, machines.admitted(stop))
        counted = replace(share, count=lambda: count_trials(plan, share, machines.passed()))
        yield Admitted(counted, machines.table)


def demands_of(folder: SweepFolder, plan: SweepPlan, share: Share, versions: Mapping[str, str]) -> Demands:
    """Return what a sweep demands of every machine; see `preflight`."""
    return make_demands(
        folder.machines,
        clip_folder(plan),
        plan.clips_fingerprint or "",
        Path(plan.stage_folder),
        versions,
        needs_gpu=share.gpus > 0,
        weights=tuple(map(Path, present_weights(plan.space))),
    )
