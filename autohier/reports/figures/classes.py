"""Classes of a trial: their superclasses, and their confusions on validation clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
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
from autohier.records.schema import StageRow, TrialRow
from autohier.sweep.paths import clip_folder


@dataclass(frozen=True, slots=True)
class TrialClasses:
    """Classes of a trial: their names, superclasses and confusions on validation clips."""

    names: tuple[str, ...]
    """One for each class; numbers if the clip store is not there."""
    assignments: tuple[tuple[int, ...], ...]
    """Superclass of each class, for each head."""
    confusion_KK: npt.NDArray[np.int64] | None
    """Clips by true class (rows) and predicted class; None if the stage is not in the store."""


def kept_stage(records: Records, trial: TrialRow | None = None) -> StageRow | None:
    """Return the stage that a trial kept, by default the best one; None if it is not recorded."""
    row = trial or next(iter(records.ranked()), None)
    stages = records.chain_of(row.trial)[row.kept_pass or 0 :] if row else ()
    return stages[0] if stages else None


def trial_classes(records: Records, plan: SweepPlan, trial: TrialRow | None = None) -> TrialClasses | None:
    """Return the classes of a trial, by default the best one; None if there is none or it has no stages."""
    stage = kept_stage(records, trial)
    if stage is None:
        return None
    assignments = tuple(tuple(level) for level in json.loads(stage.assignments))
    num_classes = len(assignments[-1])
    manifest = load_record(Manifest, clip_folder(plan) / MANIFEST)
    known = manifest is not None and len(manifest.class_names) == num_classes
    names = tuple(manifest.class_names) if manifest and known else tuple(map(str, range(num_classes)))
    return TrialClasses(names, assignments, _confusion(stage, StageStore(Path(plan.stage_folder))))


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


def superclass_groups(classes: TrialClasses) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the level, the number and the classes of every superclass, the coarsest level first."""
    for level, assignment in enumerate(classes.assignments[:-1], start=1):
        for superclass in sorted(set(assignment)):
            members = (name for name, own in zip(classes.names, assignment, strict=True) if own == superclass)
            yield level, superclass + 1, tuple(members)
