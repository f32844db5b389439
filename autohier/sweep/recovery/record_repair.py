"""Repair of a sweep's records: lost and damaged ones are rebuilt from the study and the stage store."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from autohier.core.recipes.chain import stage_kinds
from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.trial import TrialOutcome
from autohier.errors import InputError
from autohier.records.reader import Records, chain_rows, part_files, trial_of
from autohier.records.schema import EpochRow, EvaluationRow, Row, StageRow, TrialRow
from autohier.records.trial_rows import complete_row, unfinished_row
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder
from autohier.sweep.recovery.record_check import CheckedRecords, check_records, stage_fault, study_row
from autohier.sweep.study.confirmation_study import ConfirmationStudy
from autohier.sweep.study.ended_trials import EndedTrial, StudyTrials
from autohier.sweep.study.study import SweepStudy

_LOG = logging.getLogger(__name__)
_DAMAGED = "damaged"
"""Folder, below the records, of files that are kept but not read."""


def repair_records(folder: SweepFolder, study: SweepStudy, store: StageStore) -> list[str]:
    """Make the records of a sweep agree with its study; return what was done, one line each.

    Damaged files, and files of trials that the study does not have, are set aside. Rows of ended trials are
    rebuilt. Failed trials that will run again are marked. Test results are restored from the study.

    Args:
        folder: of the sweep, whose lock the caller holds.
        study: of the sweep.
        store: the sweep's stage store.

    Raises:
        InputError: if the records hold ended trials and the study none, since then the study is lost.
        OSError: if a record cannot be written.
    """
    confirmation = ConfirmationStudy.find(study.plan, study.storage)
    trials = study.trials() + confirmation.trials() if confirmation else study.trials()
    checked = check_records(folder, trials)
    # The first trial may have been lost with the last line of the journal: nothing of it had ended.
    ended = [row for row in checked.records.trials if row.state != "RUNNING"]
    if ended and not trials.names:
        raise InputError(
            "the study of a sweep must have the trials of its records",
            got=f"no trial, but records of {len(ended)}",
            hint=f"restore {folder.journal_file} or the --storage of the sweep, or start a new sweep",
        )
    lines = _set_aside(folder, checked)
    # A rebuilt trial ran like the others, as far as the study does not say.
    accelerators = max((row.accelerators for row in checked.records.trials), default=0.0)
    for trial in trials.ended:
        if trial.name in checked.faults:
            how = _rebuild(trial, checked.records, folder, store, accelerators)
            lines.append(f"records of {trial.name} ({checked.faults[trial.name]}): rebuilt{how}")
    _mark_requeued(checked, trials, RecordWriter(folder.records))
    lines += _restore_tests(checked, study, RecordWriter(folder.records))
    for line in lines:
        _LOG.warning("%s", line)
    return lines


def test_values(rows: Sequence[EvaluationRow]) -> list[dict[str, Any]]:
    """Return test results as JSON values, for the study."""
    return [{**asdict(row), "evaluated_at": row.evaluated_at.isoformat()} for row in rows]


def test_row(values: Mapping[str, Any]) -> EvaluationRow:
    """Return a test result from the study's values."""
    known = {field.name: values[field.name] for field in fields(EvaluationRow) if field.name in values}
    shares = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return EvaluationRow(**known | shares | {"evaluated_at": datetime.fromisoformat(values["evaluated_at"])})


def _mark_requeued(checked: CheckedRecords, study: StudyTrials, writer: RecordWriter) -> None:
    """Mark the rows of failed trials that will run again."""
    ended = {trial.name for trial in study.ended}
    for row in checked.records.trials:
        if row.state == "FAIL" and row.trial in study.names - ended:
            writer.write_requeued(row)


def _set_aside(folder: SweepFolder, checked: CheckedRecords) -> list[str]:
    lines = []
    for part in checked.damaged:
        aside = _move(folder, part.path)
        lines.append(f"damaged record file {part.path} set aside in {aside}")
        if part.row_type is EvaluationRow and part.path.stem != part.trial:
            lines.append(f"a test result of 'autohier evaluate' of {part.trial} is lost with it")
    for name in sorted(checked.unknown):
        _set_trial_aside(folder, name)
        lines.append(f"records of {name}, which the study does not have, set aside")
    return lines


def _set_trial_aside(folder: SweepFolder, name: str) -> None:
    kinds: tuple[type[Row], ...] = (TrialRow, StageRow, EpochRow)
    for row_type in kinds:
        for path in part_files(folder.records, row_type):
            if trial_of(path) == name:
                _move(folder, path)


def _move(folder: SweepFolder, path: Path) -> Path:
    aside = folder.records / _DAMAGED
    aside.mkdir(parents=True, exist_ok=True)
    return path.rename(aside / f"{path.parent.name}-{path.stem}-{uuid.uuid4().hex[:8]}.parquet")


def _rebuild(
    trial: EndedTrial, records: Records, folder: SweepFolder, store: StageStore, accelerators: float
) -> str:
    """Write the records of a trial again; return from what, or what is missing, as the end of a sentence."""
    writer = RecordWriter(folder.records)
    known = replace(study_row(trial), accelerators=accelerators)
    if trial.state == "FAIL":
        writer.write_trial(known)
        return " from the study"
    stages, num_missing = _read_stages(trial, store)
    if num_missing and stage_fault(trial, records) is None:
        writer.write_trial(_with_stage_rows(known, records.stages_of(trial.name)))
        return " from the records of its stages"
    if num_missing:
        _set_trial_aside(folder, trial.name)
    if trial.state == "PRUNED":
        row = unfinished_row(known, "PRUNED", reason=trial.reason or "", at=trial.ended_at, stages=stages)
    elif num_missing:
        row = known
    else:
        outcome = TrialOutcome(trial.config, stages, trial.facts["kept_pass"])
        row = complete_row(known, outcome, trial.ended_at)
    writer.write_ended(row, stages)
    missing = [f"{num_missing} of its stages, which the stage store lacks"] if num_missing else []
    if trial.state == "PRUNED":
        missing.append("the epochs of the stage in which it was stopped")
    return f", without {' and '.join(missing)}" if missing else " from the stage store"


def _with_stage_rows(row: TrialRow, stages: Sequence[StageRow]) -> TrialRow:
    """Add to a trial's row what the rows of its stages say."""
    chain = chain_rows(stages)
    flat = stages[: len(stages) - len(chain)]
    kept = chain[row.kept_pass] if row.kept_pass is not None and row.kept_pass < len(chain) else None
    if kept is not None:
        row = replace(
            row,
            accuracy=kept.accuracy,
            top5_accuracy=next(reversed(kept.stack_top5_accuracies), None),
            mean_class_accuracy=next(reversed(kept.stack_mean_class_accuracies), row.mean_class_accuracy),
        )
    return replace(
        row,
        pass_1_accuracy=flat[0].accuracy if flat else None,
        pass_2_accuracy=chain[0].accuracy if chain else None,
        dense_parameters=chain[0].parameters if chain else None,
        dense_multiply_adds=chain[0].multiply_adds if chain else None,
        seconds_computed=sum(stage.seconds for stage in stages if not stage.reused),
        seconds_reused=sum(stage.seconds for stage in stages if stage.reused),
    )


def _read_stages(trial: EndedTrial, store: StageStore) -> tuple[tuple[StageResult, ...], int]:
    """Return the stages of a trial up to the first one that the store lacks, and the number of the others."""
    kinds = stage_kinds(trial.config, len(trial.chain) - 1) if trial.chain else _kinds_before_chain(trial)
    num_folds = len(trial.stage_keys) // len(kinds)
    stages: list[StageResult] = []
    for position, kind in enumerate(kinds):
        keys = trial.stage_keys[position * num_folds : (position + 1) * num_folds]
        found = [stage for key in keys if (stage := store.find(kind, key)) is not None]
        if not keys or len(found) < len(keys):
            break
        stages.append(FoldedResult.of(found) if trial.config.protocol.validation == "folds" else found[0])
    return _with_effort(stages, trial.facts), len(kinds) - len(stages)


def _kinds_before_chain(trial: EndedTrial) -> tuple[StageKind, ...]:
    """Return the kinds of the stages before the chain, which a trial stopped within pass 2 has finished."""
    return stage_kinds(trial.config, 0)[:-1]


def _with_effort(stages: Sequence[StageResult], facts: Mapping[str, Any]) -> tuple[StageResult, ...]:
    """Mark the stages that the trial reused."""
    if facts.get("epochs_reused") is None:
        return tuple(stages)
    numbers = facts.get("stage_epochs_reused") or _first_epochs(stages, facts["epochs_reused"])
    return tuple(
        replace(
            stage,
            reused=num_reused == len(stage.epochs),
            num_restored=0 if num_reused == len(stage.epochs) else num_reused,
        )
        for stage, num_reused in zip(stages, numbers, strict=False)
    )


def _first_epochs(stages: Sequence[StageResult], number: int) -> list[int]:
    """Return the number of epochs of each stage among the first ones of a trial.

    Trials of older versions say only how many epochs they reused. Those of a chain are the first ones.
    """
    counts = []
    for stage in stages:
        counts.append(min(number, len(stage.epochs)))
        number -= counts[-1]
    return counts


def _restore_tests(checked: CheckedRecords, study: SweepStudy, writer: RecordWriter) -> list[str]:
    lines = []
    own = {row.trial for row in checked.records.tests if checked.records.is_tested(row.trial)}
    for name in sorted(own - study.tests().keys()):  # of an earlier version of autohier
        study.record_tests(name, test_values(checked.records.tests_of(name)))
    for name, results in study.tests().items():
        if name not in own and results:
            writer.write_test_results(name, [test_row(values) for values in results])
            lines.append(f"test results of {name}: restored from the study")
    return lines
