"""State of a sweep for ``autohier status``: what runs now, as lines and tables, and all of it as rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from rich.table import Table

from autohier.config.sweep import Provenance, SweepPlan
from autohier.records.reader import Records
from autohier.records.recorders.trial_progress import read_progress
from autohier.reports.sweeps.running import (
    RunningTrial,
    RunningWork,
    TimeLeft,
    running_table,
    running_trials,
    running_work,
    time_left,
    time_left_text,
    work_time_text,
)
from autohier.reports.sweeps.standings import ReportedResult, TrialStanding, reported_result, trial_standings
from autohier.reports.sweeps.summary import SweepSummary, summarize
from autohier.reports.trials.front import FrontNetwork, front_networks
from autohier.sweep.paths import SweepFolder
from autohier.sweep.phases.confirmation import missing_runs


class StatusParts(TypedDict):
    """Parts of the status of a sweep, by name."""

    sweep: SweepSummary
    trials: tuple[TrialStanding, ...]
    running: tuple[RunningTrial, ...]
    work: tuple[RunningWork, ...]
    time_left: TimeLeft | None
    result: ReportedResult | None
    front: NotRequired[tuple[FrontNetwork, ...]]
    """Of a search that seeks a Pareto front."""


def status_parts(
    folder: SweepFolder, plan: SweepPlan, provenance: Provenance, records: Records
) -> StatusParts:
    """Return the status of a sweep; nothing runs, and no time is left, if it has no driver.

    Args:
        folder: of the sweep.
        plan: of the sweep.
        provenance: of the sweep.
        records: of the sweep, with its choice.
    """
    summary = summarize(folder, plan, provenance, records)
    is_driven = summary.state == "running"
    running, work, left = _now(folder, plan, records)
    parts = StatusParts(
        sweep=summary,
        trials=trial_standings(records, is_driven=is_driven),
        running=running if is_driven else (),
        work=work if is_driven else (),
        time_left=left if is_driven else None,
        result=reported_result(records),
    )
    if records.second_objective is not None:
        parts["front"] = front_networks(records)
    return parts


def now_lines(folder: SweepFolder, plan: SweepPlan, records: Records) -> Iterator[str | Table]:
    """Yield what a sweep with a running driver does now: its time left, its work and its running trials."""
    running, work, left = _now(folder, plan, records)
    for each in work:
        if text := work_time_text(each):
            yield f"{each.name}: {text}"
    if text := time_left_text(left):
        yield text
    if running:
        yield ""
        yield running_table(running)
        yield ""


def _now(
    folder: SweepFolder, plan: SweepPlan, records: Records
) -> tuple[tuple[RunningTrial, ...], tuple[RunningWork, ...], TimeLeft]:
    running = running_trials(records, plan, read_progress(folder.records), datetime.now(UTC))
    work = running_work(records, plan)
    num_runs = len(missing_runs(records, plan)) if records.num_ended >= plan.trials else 0
    return running, work, time_left(records, plan, running, work, num_runs_left=num_runs)
