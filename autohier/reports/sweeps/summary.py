"""Summary of a sweep in one row: its state, its trials by state and its best estimate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from rich.table import Table

from autohier.config.sweep import UNLIMITED_TRIALS, Provenance, SweepPlan, finished_text
from autohier.errors import InputError
from autohier.records.parts import read_whole_parts
from autohier.records.reader import Records
from autohier.records.schema import EvaluationRow, TrialRow, WorkRow
from autohier.records.statistics import wilson_interval
from autohier.reports.sweeps.progress import is_finished
from autohier.reports.text import interval_text, percent, plain_table
from autohier.sweep.locking.sweep_lock import dead_driver, driver_of
from autohier.sweep.paths import SweepFolder
from autohier.sweep.phases.confirmation import missing_runs
from autohier.sweep.phases.refits import missing_refits
from autohier.sweep.recovery.record_check import read_checked
from autohier.text import duration_text

SweepState = Literal["running", "finished", "stopped", "driver dead", "damaged"]

_NUMBERS = ("best estimate,\n95% interval", "epochs\ntrained", "started", "changed")
_COLUMNS = ("sweep", "dataset", "state", "trials", *_NUMBERS)


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """One sweep: its state and its best trial on the validation clips."""

    sweep: Annotated[str, "name of the sweep"]
    folder: Annotated[str, "folder of the sweep"]
    state: Annotated[
        SweepState,
        "running, finished, stopped (by a signal or the failure limit; resumable), driver dead (its driver "
        "ended without a word; resumable) or damaged (its files cannot be read)",
    ]
    driver: Annotated[str | None, "process and host of the running driver, or of the dead one"] = None
    fault: Annotated[str, "what is wrong with the files of the sweep; empty if nothing is"] = ""
    space: Annotated[str, "name of the search space"] = ""
    dataset: Annotated[str, "dataset of the clips"] = ""
    protocol: Annotated[str, "the dataset's split"] = ""
    validation: Annotated[str, "kind of validation: clean, listed, folds or paper"] = ""
    target_trials: Annotated[int | None, "number of trials that the sweep runs; null if a budget ends it"] = (
        None
    )
    num_complete: Annotated[int, "number of complete trials"] = 0
    num_stopped: Annotated[int, "number of trials that the scheduler stopped"] = 0
    num_failed: Annotated[int, "number of failed trials"] = 0
    num_running: Annotated[int, "number of running trials"] = 0
    num_interrupted: Annotated[int, "number of unfinished trials without a driver"] = 0
    num_requeued: Annotated[int, "number of failed trials that run again"] = 0
    best_trial: Annotated[str | None, "name of the trial that is ranked first; null if none is complete"] = (
        None
    )
    accuracy: Annotated[float | None, "its measured validation accuracy"] = None
    estimate: Annotated[
        float | None, "its estimated accuracy on other clips and seeds; null if trials are ranked as measured"
    ] = None
    low: Annotated[float | None, "lower end of the 95% interval of the estimate, else of the accuracy"] = None
    high: Annotated[float | None, "upper end of that interval"] = None
    num_validation_clips: Annotated[int | None, "number of validation clips"] = None
    epochs_trained: Annotated[int, "number of epochs that the sweep trained"] = 0
    epochs_reused: Annotated[int, "number of epochs reused from the stage store"] = 0
    seconds_trained: Annotated[float, "seconds that the trained epochs took, summed over trials"] = 0.0
    started_at: Annotated[datetime | None, "start of the sweep"] = None
    changed_at: Annotated[datetime | None, "last time that the records changed"] = None


def read_summary(folder: SweepFolder) -> SweepSummary:
    """Return the summary of a sweep, running or not; one whose files cannot be read is ``damaged``."""
    try:
        plan, provenance = folder.read_plan()
        checked = read_checked(folder, plan, with_epochs=False)
    except (InputError, OSError) as error:
        return SweepSummary(folder.path.name, str(folder.path), "damaged", fault=str(error))
    others, damaged = read_whole_parts(folder.records, (EvaluationRow, WorkRow))
    records = replace(checked.records, tests=others.tests, work=others.work)
    fault = replace(checked, damaged=(*checked.damaged, *damaged)).text()
    return summarize(folder, plan, provenance, records, fault=fault)


def summarize(
    folder: SweepFolder, plan: SweepPlan, provenance: Provenance, records: Records, *, fault: str = ""
) -> SweepSummary:
    """Return the summary of a sweep.

    Args:
        folder: of the sweep.
        plan: of the sweep.
        provenance: of the sweep.
        records: of the sweep, with its choice.
        fault: what is wrong with its records.
    """
    state, driver = state_of(folder, plan, records)
    states = Counter(row.state for row in records.trials if row.number is not None)
    best = next(iter(records.ranked()), None)
    estimate = records.estimates.get(best.trial) if best else None
    low, high = interval_of(records, best)
    efforts: list[TrialRow | WorkRow] = [*records.trials, *records.work]
    return SweepSummary(
        sweep=plan.name,
        folder=str(folder.path),
        state=state,
        driver=driver,
        fault=fault,
        space=plan.space.name,
        dataset=plan.space.dataset,
        protocol=plan.space.protocol.name,
        validation=plan.space.protocol.validation,
        target_trials=None if plan.trials >= UNLIMITED_TRIALS else plan.trials,
        num_complete=states["COMPLETE"],
        num_stopped=states["PRUNED"],
        num_failed=states["FAIL"],
        num_running=states["RUNNING"] if state == "running" else 0,
        num_interrupted=0 if state == "running" else states["RUNNING"],
        num_requeued=states["REQUEUED"],
        best_trial=best.trial if best else None,
        accuracy=best.accuracy if best else None,
        estimate=estimate.value if estimate else None,
        low=low,
        high=high,
        num_validation_clips=best.num_validation_clips if best else None,
        epochs_trained=sum(row.epochs_computed or 0 for row in efforts),
        epochs_reused=sum(row.epochs_reused or 0 for row in efforts),
        seconds_trained=sum(row.seconds_computed or 0.0 for row in efforts),
        started_at=datetime.fromisoformat(provenance.created_at),
        changed_at=max(_times(records), default=None),
    )


def state_of(folder: SweepFolder, plan: SweepPlan, records: Records) -> tuple[SweepState, str | None]:
    """Return the state of a sweep, and its running or dead driver."""
    if driver := driver_of(folder.lock_file):
        return "running", driver
    is_left = missing_runs(records, plan) or missing_refits(records, plan)
    if is_finished(records, target=plan.trials) and not is_left:
        return "finished", None
    dead = dead_driver(folder.lock_file)
    return ("driver dead", dead) if dead else ("stopped", None)


def interval_of(records: Records, row: TrialRow | None) -> tuple[float | None, float | None]:
    """Return the 95% interval of a trial's estimate, else of its accuracy; None if it has neither."""
    if row is None:
        return None, None
    if estimate := records.estimates.get(row.trial):
        return estimate.low, estimate.high
    if row.accuracy is None or row.num_validation_clips is None:
        return None, None
    return wilson_interval(row.accuracy, row.num_validation_clips)


def summary_table(summaries: Sequence[SweepSummary], out: Path) -> Table:
    """Return a table of sweeps.

    Args:
        summaries: of the sweeps.
        out: their folder, for the title.
    """
    table = plain_table(f"Sweeps in {out}; accuracies are those of validation clips")
    now = datetime.now(UTC)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    for each in summaries:
        table.add_row(
            each.sweep,
            each.dataset,
            each.state,
            _trials_text(each) if each.dataset else each.fault,
            _best_text(each),
            f"{each.epochs_trained:,}" if each.dataset else "",
            _age(each.started_at, now),
            _age(each.changed_at, now),
        )
    return table


def _trials_text(summary: SweepSummary) -> str:
    counts = {
        "complete": summary.num_complete,
        "stopped": summary.num_stopped,
        "failed": summary.num_failed,
        "running": summary.num_running,
        "interrupted": summary.num_interrupted,
        "requeued": summary.num_requeued,
    }
    num_ended = summary.num_complete + summary.num_stopped + summary.num_failed
    target = UNLIMITED_TRIALS if summary.target_trials is None else summary.target_trials
    states = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    warning = "; records not whole" if summary.fault else ""
    return f"{finished_text(num_ended, target)}{f': {states}' if states else ''}{warning}"


def _best_text(summary: SweepSummary) -> str:
    value = summary.accuracy if summary.estimate is None else summary.estimate
    if value is None or summary.low is None or summary.high is None:
        return ""
    return f"{percent(value)}, {interval_text(summary.low, summary.high)}"


def _age(at: datetime | None, now: datetime) -> str:
    return "" if at is None else f"{duration_text(max(0.0, (now - at).total_seconds()))} ago"


def _times(records: Records) -> list[datetime]:
    trials = [at for row in records.trials for at in (row.started_at, row.finished_at) if at]
    return [
        *trials,
        *(row.updated_at for row in records.work),
        *(row.evaluated_at for row in records.tests),
    ]
