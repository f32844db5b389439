"""Check of a sweep's records against its study, which is the truth of how each trial ended.

The winner of a sweep is chosen by its records. A record that is lost, damaged or changed must not change it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from autohier.config.sweep import SweepPlan
from autohier.errors import InputError
from autohier.records.parts import DamagedPart, read_whole_parts
from autohier.records.reader import Records, chain_rows
from autohier.records.schema import ROW_FOLDERS, StageRow, TrialRow
from autohier.records.trial_rows import started_row
from autohier.sweep.choice.winner import with_choice
from autohier.sweep.paths import SweepFolder
from autohier.sweep.study.ended_trials import EndedTrial, StudyTrials, read_study_trials

_ROUNDING = 1e-9
_SAMPLED = (
    *("number", "trial_index", "variant", "params", "superclasses", "weight_ratio", "scope", "ratio"),
    *("passes", "seed", "dataset", "protocol", "validation", "objective", "role", "confirms"),
)
"""Columns that the study decides."""


@dataclass(frozen=True, slots=True)
class CheckedRecords:
    """Whole records of a sweep, and what is wrong with the others."""

    records: Records
    damaged: tuple[DamagedPart, ...]
    faults: Mapping[str, str]
    """What is wrong with the records of a trial, by its name."""
    unknown: frozenset[str]
    """Names of trials that the records hold, but not the study."""

    @property
    def is_whole(self) -> bool:
        """Return True if nothing is wrong with the records."""
        return not (self.damaged or self.faults or self.unknown)

    def text(self) -> str:
        """Return what is wrong, in one line."""
        unreadable = [f"{part.path.parent.name}/{part.path.name} is damaged" for part in self.damaged]
        lost = [f"{name} {fault}" for name, fault in self.faults.items()]
        unknown = [f"{name} is not in the study" for name in sorted(self.unknown)]
        return "; ".join(unreadable + lost + unknown)


def check_records(
    folder: SweepFolder, study: StudyTrials | None, *, with_epochs: bool = True
) -> CheckedRecords:
    """Read the records of a sweep and check them.

    Args:
        folder: of the sweep.
        study: trials of its study; read them before the records, as trials write their records first. None
            checks the files only.
        with_epochs: False reads the trials and their stages only, which is fast: most rows are epochs.
    """
    row_types = tuple(ROW_FOLDERS) if with_epochs else (TrialRow, StageRow)
    records, damaged = read_whole_parts(folder.records, row_types)
    if study is None:
        return CheckedRecords(records, damaged, {}, frozenset())
    rows = {row.trial: row for row in records.trials}
    faults = {
        trial.name: fault
        for trial in study.ended
        if (fault := _fault(trial, rows.get(trial.name), records, with_epochs=with_epochs)) is not None
    }
    return CheckedRecords(records, damaged, faults, frozenset(rows) - study.names)


def read_checked(folder: SweepFolder, plan: SweepPlan, *, with_epochs: bool = True) -> CheckedRecords:
    """Read the records of a sweep that may be running, check them against its journal, and complete them.

    Trials whose records are not whole have the row that the study knows of them.

    Raises:
        InputError: if the journal is damaged.
    """
    study = read_study_trials(plan, folder.journal_file)
    checked = check_records(folder, study, with_epochs=with_epochs)
    # If the study has no trial at all, it is the study that is lost, and the records are all there is.
    unknown = checked.unknown if study and study.names else ()
    replaced = {*checked.faults, *unknown}
    rows = [row for row in checked.records.trials if row.trial not in replaced]
    rows += [study_row(trial) for trial in (study.ended if study else ()) if trial.name in checked.faults]
    trials = tuple(sorted(rows, key=lambda row: row.trial))
    return replace(checked, records=with_choice(replace(checked.records, trials=trials), plan))


def require_whole(folder: SweepFolder, plan: SweepPlan) -> Records:
    """Read the trials of a sweep and their stages, for a choice among the trials.

    Raises:
        InputError: if a record is lost, damaged or differs from the study.
    """
    checked = read_checked(folder, plan, with_epochs=False)
    if not checked.is_whole:
        raise InputError(
            f"the records in {folder.records} must be whole and agree with the study",
            got=checked.text(),
            hint=f"run '{folder.resume_command}', which rebuilds them",
        )
    return checked.records


def study_row(trial: EndedTrial) -> TrialRow:
    """Return the record row of an ended trial as far as the study knows it."""
    row = started_row(
        trial.config,
        trial=trial.name,
        number=trial.number,
        trial_index=trial.index,
        source=trial.source,
        at=trial.started_at,
        role=trial.role,
        confirms=trial.confirms,
    )
    facts = trial.facts
    first = trial.chain[0] if trial.chain else None
    by_class = trial.config.objective == "mean-class"
    return replace(
        row,
        accuracy=None if by_class else trial.value,
        mean_class_accuracy=trial.value if by_class else None,
        pass_2_accuracy=None if by_class else first,
        state=trial.state,
        reason=trial.reason,
        failure=trial.failure,
        finished_at=trial.ended_at,
        passes_trained=max(0, len(trial.chain) - 1),
        kept_pass=facts.get("kept_pass"),
        parameters=facts.get("parameters"),
        multiply_adds=facts.get("multiply_adds"),
        epochs_computed=facts.get("epochs_computed"),
        epochs_reused=facts.get("epochs_reused"),
        stage_keys=trial.stage_keys,
        right_clips=facts.get("right_clips", ""),
        rung_epochs=tuple(trial.rungs),
        rung_values=tuple(trial.rungs.values()),
    )


def _fault(trial: EndedTrial, row: TrialRow | None, records: Records, *, with_epochs: bool) -> str | None:
    """Return what is wrong with the records of one trial; None if they agree with the study."""
    if row is None:
        return "is missing"
    requeued = (row.state, trial.state) == ("REQUEUED", "FAIL")
    if row.state != trial.state and not requeued:
        return f"is {row.state}, not {trial.state}"
    known = study_row(trial)
    if any(getattr(row, name) != getattr(known, name) for name in _SAMPLED):
        return "is of another config"
    if trial.state == "COMPLETE" and not _equal(row.value, trial.value):
        return f"has the value {row.value}, not {trial.value}"
    return None if trial.state == "FAIL" else stage_fault(trial, records, with_epochs=with_epochs)


def stage_fault(trial: EndedTrial, records: Records, *, with_epochs: bool = True) -> str | None:
    """Return what is wrong with the stage and epoch rows of a trial; None if they agree with the study."""
    stages = records.stages_of(trial.name)
    if trial.stage_keys and tuple(key for stage in stages for key in stage.store_keys) != trial.stage_keys:
        return "lacks stages, or has others"
    chain = [_value(stage, trial) for stage in chain_rows(stages)]
    pairs = zip(chain, trial.chain, strict=False)
    if trial.stage_keys and not all(value is None or _equal(value, known) for value, known in pairs):
        return "has stages of other values"
    num_epochs = Counter((row.kind, row.pass_index) for row in records.epochs if row.trial == trial.name)
    if with_epochs and any(num_epochs[stage.kind, stage.pass_index] < stage.num_epochs for stage in stages):
        return "lacks epochs"
    return None


def _value(stage: StageRow, trial: EndedTrial) -> float | None:
    """Return the value of the objective after a stage; None if an earlier version did not record it."""
    if trial.config.objective == "accuracy":
        return stage.accuracy
    return stage.stack_mean_class_accuracies[-1] if stage.stack_mean_class_accuracies else None


def _equal(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < _ROUNDING)
