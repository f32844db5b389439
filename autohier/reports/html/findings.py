"""Facts of a sweep that its page shows: history, shared stages and classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autohier.config.sweep import SweepPlan
from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.store.manifest import Manifest, load_record
from autohier.data.store.paths import MANIFEST
from autohier.errors import AutohierError
from autohier.records.reader import Records
from autohier.records.schema import StageRow
from autohier.reports.html.charts import HistoryPoint
from autohier.sweep.paths import clip_folder

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class StageUse:
    """Use of one kind of stage by the trials of a sweep."""

    kind: str
    num_used: int
    """Number of stages that trials ended with."""
    num_distinct: int
    """Number of different stages among them."""
    epochs_used: int
    """Epochs that the trials would have trained without sharing."""
    epochs_distinct: int
    seconds_saved: float
    """Time of the stages that trials reused."""


@dataclass(frozen=True, slots=True)
class WinnerClasses:
    """Classes of the best trial: their names, superclasses and confusions on validation clips."""

    names: tuple[str, ...]
    """One for each class; numbers if the clip store is not there."""
    assignments: tuple[tuple[int, ...], ...]
    """Superclass of each class, for each head."""
    confusion_KK: npt.NDArray[np.int64] | None
    """Clips by true class (rows) and predicted class; None if the stage is not in the store."""


def history_points(records: Records, started: datetime) -> tuple[HistoryPoint, ...]:
    """Return the trials of the search that are complete or were stopped, in the order of their ends."""
    last = {epoch.trial: epoch.accuracy for epoch in sorted(records.epochs, key=lambda epoch: epoch.step)}
    rows = [row for row in records.trials if row.number is not None and row.finished_at is not None]
    epochs = sum(row.epochs_computed for row in records.work if row.name == "pass 1")
    points = []
    for row in sorted(rows, key=lambda row: (row.finished_at or started, row.trial)):
        epochs += row.epochs_computed or 0
        hours = ((row.finished_at or started) - started).total_seconds() / _HOUR_S
        value = row.value if row.state == "COMPLETE" else last.get(row.trial)
        if value is not None and row.state in {"COMPLETE", "PRUNED"}:
            points.append(HistoryPoint(epochs, max(0.0, hours), value, row.state == "COMPLETE"))
    return tuple(points)


def stage_uses(records: Records) -> tuple[StageUse, ...]:
    """Return the use of stages by kind, in the order of a trial."""
    kinds = dict.fromkeys(row.kind for row in records.stages)
    return tuple(_stage_use(kind, [row for row in records.stages if row.kind == kind]) for kind in kinds)


def _stage_use(kind: str, rows: Sequence[StageRow]) -> StageUse:
    distinct = {row.key: row for row in rows}
    return StageUse(
        kind=kind,
        num_used=len(rows),
        num_distinct=len(distinct),
        epochs_used=sum(row.num_epochs for row in rows),
        epochs_distinct=sum(row.num_epochs for row in distinct.values()),
        seconds_saved=sum(row.seconds for row in rows) - sum(row.seconds for row in distinct.values()),
    )


def kept_stage(records: Records) -> StageRow | None:
    """Return the stage that the best trial kept; None if it is not recorded."""
    best = next(iter(records.ranked()), None)
    stages = records.chain_of(best.trial)[best.kept_pass or 0 :] if best else ()
    return stages[0] if stages else None


def winner_classes(records: Records, plan: SweepPlan) -> WinnerClasses | None:
    """Return the classes of the best trial; None if no trial is complete or its stages are not recorded."""
    stage = kept_stage(records)
    if stage is None:
        return None
    assignments = tuple(tuple(level) for level in json.loads(stage.assignments))
    num_classes = len(assignments[-1])
    manifest = load_record(Manifest, clip_folder(plan) / MANIFEST)
    known = manifest is not None and len(manifest.class_names) == num_classes
    names = tuple(manifest.class_names) if manifest and known else tuple(map(str, range(num_classes)))
    return WinnerClasses(names, assignments, _confusion(stage, StageStore(Path(plan.stage_folder))))


def _confusion(stage: StageRow, store: StageStore) -> npt.NDArray[np.int64] | None:
    try:
        kind = find_stage_kind(stage.kind)
        found = [store.find(kind, key) for key in stage.store_keys]
    except AutohierError:
        return None
    results = [each for each in found if each is not None]
    if not results or len(results) < len(found):
        return None
    return FoldedResult.of(results).confusion_KK if len(results) > 1 else results[0].confusion_KK


def superclass_groups(classes: WinnerClasses) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the level, the number and the classes of every superclass, the coarsest level first."""
    for level, assignment in enumerate(classes.assignments[:-1], start=1):
        for superclass in sorted(set(assignment)):
            members = (name for name, own in zip(classes.names, assignment, strict=True) if own == superclass)
            yield level, superclass + 1, tuple(members)
