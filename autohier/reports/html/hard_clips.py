"""Validation clips that are predicted wrong: by the runs of a confirmation, or by the best trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autohier.config.sweep import SweepPlan
from autohier.core.prediction import find_kept_pass, predict_validation
from autohier.core.recipes.chain import chain_kind
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.data.store.reader import ClipStore
from autohier.errors import MissingDataError
from autohier.records.reader import Records
from autohier.records.schema import StageRow
from autohier.reports.figures.networks import open_recorded
from autohier.reports.text import percent
from autohier.sweep.choice.confirmation import confirmations
from autohier.text import plural


@dataclass(frozen=True, slots=True)
class HardClip:
    """Validation clip that is misclassified often, or with high confidence."""

    clip_id: str
    class_name: str
    row: int
    """Its row in the clip store."""
    note: str
    """Predictions of it, as text."""


def confirmed_hard_clips(
    records: Records, plan: SweepPlan, clips: ClipStore, number: int
) -> tuple[HardClip, ...]:
    """Return the validation clips that most runs of the confirmation get wrong, hardest first.

    Empty if the confirmation has no complete run, or its validation clips are not those of the store. Under
    ``paper`` validation it is always empty, since runs with other seeds validate on other clips.
    """
    best = next(iter(records.ranked()), None)
    runs = [row for row in confirmations(records) if row.state == "COMPLETE" and row.right_clips]
    if best is None or not runs or plan.space.protocol.validation == "paper":
        return ()
    rows = _validation_rows(open_recorded(best, plan, clips), clips)
    if any(len(row.right_clips) != len(rows) for row in runs):
        return ()
    num_wrong = [sum(row.right_clips[place] == "0" for row in runs) for place in range(len(rows))]
    order = sorted(range(len(rows)), key=lambda place: (-num_wrong[place], place))
    return tuple(
        _hard_clip(clips, rows[place], f"wrong in {num_wrong[place]} of {plural(len(runs), 'run')}")
        for place in order[:number]
        if num_wrong[place]
    )


def predicted_hard_clips(
    records: Records, plan: SweepPlan, clips: ClipStore, kept: StageRow, number: int
) -> tuple[HardClip, ...]:
    """Return the validation clips that the best trial's network misclassifies.

    Clips whose own class has the lowest probability come first.
    It evaluates the network on the validation clips.

    Args:
        records: of the sweep.
        plan: of the sweep.
        clips: its clips.
        kept: the stage that its best trial kept.
        number: maximum number of clips.

    Raises:
        MissingDataError: if the stage store lacks the network.
    """
    best = records.ranked()[0]
    trial = open_recorded(best, plan, clips)
    kind = chain_kind(trial.config, best.kept_pass or 0)
    if not all(trial.context.store.holds(kind, key) for key in kept.store_keys):
        raise MissingDataError(f"the network of {best.trial} must be in the stage store")
    stage = find_kept_pass(trial, best.kept_pass or 0, kept.store_keys)
    predictions = predict_validation(trial, stage)
    own_N = np.take_along_axis(predictions.probabilities_NK, predictions.labels_N[:, None], axis=1)[:, 0]
    guesses_N = predictions.probabilities_NK.argmax(axis=1)
    wrong = [int(place) for place in np.argsort(own_N, kind="stable") if not predictions.is_right[place]]
    names, rows = clips.manifest.class_names, {name: row for row, name in enumerate(clips.clips.clip_id)}
    return tuple(
        _hard_clip(
            clips,
            rows[predictions.clip_ids[place]],
            f"predicted {names[guesses_N[place]]} with {percent(predictions.probabilities_NK[place].max())}, "
            f"its own class with {percent(own_N[place])}",
        )
        for place in wrong[:number]
    )


def _hard_clip(clips: ClipStore, row: int, note: str) -> HardClip:
    label = int(clips.clips.label[row])
    return HardClip(clips.clips.clip_id[row], clips.manifest.class_names[label], row, note)


def _validation_rows(trial: TrialSetup, clips: ClipStore) -> Sequence[int]:
    """Return the validation clips of all folds, ordered by clip id as in the records."""
    parts = [fold.data_loader.split.validation for fold in trial.folds(CallbackList()) or [trial]]
    return sorted((int(row) for part in parts for row in part), key=lambda row: clips.clips.clip_id[row])
