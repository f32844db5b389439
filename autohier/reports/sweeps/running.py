"""Running trials of a sweep: stage and epoch of each, who waits for whom, and the time left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from typing import Annotated

from rich.table import Table

from autohier.config.sweep import UNLIMITED_TRIALS, SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.recipes.chain import numbered, pass_1_epochs, stage_epochs, stage_kinds
from autohier.records.reader import Records, params_of
from autohier.records.recorders.trial_progress import TrialProgress
from autohier.records.schema import TrialRow, WorkRow
from autohier.reports.text import percent, plain_table
from autohier.sweep.choice.confirmation import kept_params
from autohier.text import duration_text

_SHARED = "pass 1"
"""Name of the work that trains the pass 1 of all trials."""
_SILENT_S = 300.0
"""Time without an epoch after which a trial is reported as silent, unless its epochs are long."""
_SILENT_EPOCHS = 5
_NUMBERS = ("epoch", "seconds\nan epoch", "validation\naccuracy", "left in\nthe stage", "left at\nmost")
_COLUMNS = ("trial", "stage", *_NUMBERS, "running\nfor", "config")
_TEXT_COLUMNS = {"trial", "stage", "config"}


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial that runs now."""

    trial: Annotated[str, "name of the trial"]
    role: Annotated[str, "search; of a confirmation: nominee, control or flat"]
    stage: Annotated[str, "stage that it trains or waits for; empty while it starts"]
    epoch: Annotated[int, "number of epochs of the stage that are done, over all folds"]
    num_epochs: Annotated[int | None, "number of epochs of the stage, over all folds; null while it starts"]
    epoch_seconds: Annotated[float | None, "mean time of the stage's epochs that it trained, in seconds"]
    stage_seconds_left: Annotated[float | None, "time that the rest of the stage takes, in seconds"]
    trial_seconds_left: Annotated[
        float | None,
        "time that the rest of the trial takes at most, in seconds: it may stop early, or reuse stages",
    ]
    accuracy: Annotated[float | None, "validation accuracy after the last epoch"]
    waits_for: Annotated[str, "trial that computes the stage; empty if this one does"]
    seconds_running: Annotated[float, "time since the start of the trial, in seconds"]
    seconds_silent: Annotated[float | None, "time since its last epoch or stage, in seconds"]
    process: Annotated[str, "process that runs the trial, e.g. process 17 on node3"]
    accelerators: Annotated[
        float | None,
        "accelerators that it holds, or its share of one; null if they are lent stage by stage (--scaling)",
    ]
    config: Annotated[str, "hyperparameters of the trial"]


@dataclass(frozen=True, slots=True)
class RunningWork:
    """Work outside the trials that is not finished: the shared pass 1, or refits."""

    name: Annotated[str, "pass 1, refit of TRIAL or further refits of TRIAL"]
    stage: Annotated[str, "label of the last stage that trained"]
    epochs_done: Annotated[int, "number of epochs that are trained or reused"]
    num_epochs: Annotated[int | None, "number of epochs in all; null if it is not known"]
    epoch_seconds: Annotated[float | None, "mean time of a trained epoch, in seconds"]
    seconds_left: Annotated[float | None, "time that the rest takes, in seconds"]


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Estimate of the time until a running sweep ends."""

    seconds: Annotated[
        float | None, "seconds until the trials and the refit are done; null if nothing was measured yet"
    ]
    then: Annotated[str, "what follows that the estimate does not count; empty if nothing"]


def running_trials(
    records: Records, plan: SweepPlan, progress: Mapping[str, TrialProgress], now: datetime
) -> tuple[RunningTrial, ...]:
    """Return the trials that run now, by name.

    Args:
        records: of the sweep.
        plan: of the sweep.
        progress: of its trials, by their names.
        now: the current time.
    """
    seconds = _epoch_seconds(records, progress)
    rows = [row for row in records.trials if row.state == "RUNNING"]
    return tuple(_running(row, plan, progress.get(row.trial), seconds, now) for row in rows)


def running_work(records: Records, plan: SweepPlan) -> tuple[RunningWork, ...]:
    """Return the unfinished work outside the trials."""
    return tuple(_work(row, records, plan) for row in records.work if not row.complete)


def time_left(
    records: Records,
    plan: SweepPlan,
    running: Sequence[RunningTrial],
    work: Sequence[RunningWork],
    *,
    num_runs_left: int = 0,
) -> TimeLeft:
    """Return an estimate of the time until a sweep ends, from the trials that have ended.

    Args:
        records: of the sweep.
        plan: of the sweep.
        running: its running trials.
        work: its unfinished work.
        num_runs_left: number of confirmation runs that have not ended.
    """
    is_searched = records.num_ended >= plan.trials
    num_left = num_runs_left if is_searched else _trials_left(records, plan)
    ended = _ended_seconds(records, is_searched=is_searched)
    parts = [each.seconds_left for each in work if each.seconds_left is not None]
    if num_left:
        per_trial = mean(ended) if ended else _longest(running)
        if per_trial is None:
            return TimeLeft(None, _then(plan, is_searched=is_searched))
        parts.append(_rounds_s(num_left, per_trial, running))
    best = next(iter(records.ranked()), None)
    if best and records.untested_winner() and not work and (refit_s := _refit_s(best, records, plan)):
        parts.append(refit_s)
    return TimeLeft(sum(parts) if parts else None, _then(plan, is_searched=is_searched))


def running_table(running: Sequence[RunningTrial]) -> Table:
    """Return a table of the trials that run now."""
    table = plain_table(f"Running now{_at_work_text(running)}; epochs of the stage, over all folds")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    for each in running:
        table.add_row(
            each.trial,
            _stage_text(each),
            "" if each.num_epochs is None or each.waits_for else f"{each.epoch} of {each.num_epochs}",
            "" if each.epoch_seconds is None else f"{each.epoch_seconds:,.1f}",
            "" if each.accuracy is None else percent(each.accuracy),
            _duration(each.stage_seconds_left),
            _duration(each.trial_seconds_left),
            duration_text(each.seconds_running),
            each.config,
        )
    return table


def _at_work_text(running: Sequence[RunningTrial]) -> str:
    """Return how many accelerators train stages; empty without accelerators, or if they are lent."""
    held = [(each.accelerators or 0.0, not each.waits_for) for each in running]
    if not sum(number for number, _ in held):
        return ""
    at_work = sum(number for number, is_working in held if is_working)
    return f", accelerators at work: {at_work:g} of {sum(number for number, _ in held):g} held"


def time_left_text(left: TimeLeft) -> str:
    """Return the time left as a line; empty if nothing is known."""
    then = f", then {left.then}" if left.then else ""
    return "" if left.seconds is None else f"time left: about {duration_text(left.seconds)}{then}"


def work_time_text(work: RunningWork) -> str:
    """Return the time left of unfinished work; empty if it is not known."""
    if work.seconds_left is None or work.epoch_seconds is None:
        return ""
    return f"{work.epoch_seconds:,.1f} s an epoch, about {duration_text(work.seconds_left)} left"


def _running(
    row: TrialRow,
    plan: SweepPlan,
    progress: TrialProgress | None,
    seconds: Mapping[str, float],
    now: datetime,
) -> RunningTrial:
    # A file that is older than the trial's row is that of an earlier process.
    known = progress if progress is not None and progress.updated_at >= row.started_at else None
    epoch_s = None if known is None else known.epoch_s or seconds.get(known.kind)
    stage_left = trial_left = None
    if known is not None and epoch_s is not None:
        stage_left = epoch_s * max(0, known.num_epochs - known.epoch)
        trial_left = stage_left + _later_seconds(row, plan, known, seconds, epoch_s)
    return RunningTrial(
        trial=row.trial,
        role=row.role,
        stage=known.label if known else "",
        epoch=known.epoch if known else 0,
        num_epochs=known.num_epochs if known else None,
        epoch_seconds=known.epoch_s if known else None,
        stage_seconds_left=stage_left,
        trial_seconds_left=trial_left,
        accuracy=known.accuracy if known else None,
        waits_for=known.waits_for if known else "",
        seconds_running=max(0.0, (now - row.started_at).total_seconds()),
        seconds_silent=max(0.0, (now - known.updated_at).total_seconds()) if known else None,
        process=known.process if known else "",
        accelerators=row.accelerators if plan.scaling is None else None,
        config=params_of(row).settings_text,
    )


def _later_seconds(
    row: TrialRow, plan: SweepPlan, progress: TrialProgress, seconds: Mapping[str, float], epoch_s: float
) -> float:
    """Return the time of the stages after the present one, if none is reused and the trial is not stopped."""
    config = plan.space.config(params_of(row), seed=row.seed)
    kinds = stage_kinds(config, row.passes)
    places = [
        index
        for index, (kind, pass_index) in enumerate(numbered(kinds))
        if (kind.name, pass_index) == (progress.kind, progress.pass_index)
    ]
    later = kinds[places[0] + 1 :] if places else ()
    folds = plan.space.num_folds
    return sum(folds * kind.epochs(config) * seconds.get(kind.name, epoch_s) for kind in later)


def _epoch_seconds(records: Records, progress: Mapping[str, TrialProgress]) -> dict[str, float]:
    """Return the mean time of an epoch by kind of stage: in ended trials, else in running ones."""
    times: dict[str, list[float]] = {}
    for epoch in records.epochs:
        times.setdefault(epoch.kind, []).append(epoch.seconds)
    running: dict[str, list[float]] = {}
    for each in progress.values():
        if each.epoch_s is not None:
            running.setdefault(each.kind, []).append(each.epoch_s)
    times = running | times
    return {kind: mean(each) for kind, each in times.items()}


def _work(row: WorkRow, records: Records, plan: SweepPlan) -> RunningWork:
    done = row.epochs_computed + row.epochs_reused
    total = _work_epochs(row, records, plan)
    epoch_s = row.seconds_computed / row.epochs_computed if row.epochs_computed else None
    left = None if total is None or epoch_s is None else epoch_s * max(0, total - done)
    return RunningWork(row.name, row.stage, done, total, epoch_s, left)


def _work_epochs(row: WorkRow, records: Records, plan: SweepPlan) -> int | None:
    if row.name == _SHARED:
        return plan.space.num_folds * pass_1_epochs(plan.space.config(FLAT_PARAMS, seed=plan.seed))
    trial = next((each for each in records.trials if row.name.endswith(f"refit of {each.trial}")), None)
    return None if trial is None else _refit_epochs(trial, plan)


def _refit_epochs(trial: TrialRow, plan: SweepPlan) -> int:
    params = kept_params(trial)
    return sum(stage_epochs(plan.space.config(params, seed=trial.seed), params.passes).values())


def _refit_s(best: TrialRow, records: Records, plan: SweepPlan) -> float | None:
    """Return an estimate of the refits of the best trial; None if no epoch was measured."""
    times = [epoch.seconds for epoch in records.epochs]
    if not times or plan.space.protocol.validation == "paper":
        return None
    return plan.refits * _refit_epochs(best, plan) * mean(times)


def _trials_left(records: Records, plan: SweepPlan) -> int:
    """Return the number of trials that have not ended; with a budget, of those that it still pays for."""
    left = plan.trials - records.num_ended
    used = _used_budget(records, plan)
    if used is None:
        return 0 if plan.trials >= UNLIMITED_TRIALS else max(0, left)
    affordable = records.num_ended * (1 / used - 1) if used > 0 else left
    return max(0, min(left, round(affordable)))


def _used_budget(records: Records, plan: SweepPlan) -> float | None:
    """Return the used share of the search's part of the budget; None without a budget."""
    rows = [row for row in records.trials if row.role == "search"]
    shared = [row for row in records.work if row.name == _SHARED]
    epochs = sum(row.epochs_computed or 0 for row in rows)
    epochs += sum(row.epochs_computed + row.epochs_reused for row in shared)
    hours = sum(row.seconds_computed or 0.0 for row in rows) / 3600
    shares = [epochs / (plan.search_share * plan.budget_epochs)] if plan.budget_epochs else []
    shares += [hours / (plan.search_share * plan.budget_hours)] if plan.budget_hours else []
    return min(1.0, max(shares)) if shares else None


def _ended_seconds(records: Records, *, is_searched: bool) -> list[float]:
    """Return the wall times of the ended trials of the present phase."""
    return [
        (row.finished_at - row.started_at).total_seconds()
        for row in records.trials
        if row.finished_at is not None and row.state != "FAIL" and (row.role != "search") == is_searched
    ]


def _longest(running: Sequence[RunningTrial]) -> float | None:
    """Return the longest time of a running trial, from its start to its end at most."""
    known = [
        each.seconds_running + each.trial_seconds_left
        for each in running
        if each.trial_seconds_left is not None
    ]
    return max(known, default=None)


def _rounds_s(num_left: int, per_trial_s: float, running: Sequence[RunningTrial]) -> float:
    """Return the time of the trials that are left: what runs now saves the time that it has run already."""
    saved = sum(min(each.seconds_running, per_trial_s) for each in running)
    return max(0.0, num_left * per_trial_s - saved) / max(1, len(running))


def _then(plan: SweepPlan, *, is_searched: bool) -> str:
    return "" if is_searched or plan.confirm == "none" else "the confirmation, if it pays"


def _stage_text(each: RunningTrial) -> str:
    if not each.stage:
        return "starting"
    if each.waits_for:
        return f"waits for {each.waits_for}, which trains its {each.stage}"
    usual = _SILENT_EPOCHS * (each.epoch_seconds or 0.0)
    if each.seconds_silent is not None and each.seconds_silent > max(_SILENT_S, usual):
        return f"{each.stage}, silent for {duration_text(each.seconds_silent)}"
    return each.stage


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else duration_text(seconds)
