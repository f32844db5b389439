"""What the networks of finished trials take clips for."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from autohier.core.stages.folds import FoldedResult
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageKind, StageResult, stage_label
from autohier.core.training.evaluation import predict
from autohier.core.training.feed import Part
from autohier.core.training.metrics import Predictions
from autohier.core.trial import refit, rerun, to_refit

_LOG = logging.getLogger(__name__)


def find_kept(trial: OpenTrial, kept_pass: int, keys: Sequence[str]) -> StageResult:
    """The pass that a finished trial kept; where it is gone from the stage store, it is computed again.

    It is found by its names, and so on machines of other numerics too. What computes it again finds what is
    left of the trial's chain in this machine's numerics.

    Args:
        trial: that is finished.
        kept_pass: 0 for pass 2, k for the k-th pruning pass.
        keys: its names in the stage store, one for each fold.

    Raises:
        TrialError: where it is computed again and fails.
    """
    kind: StageKind = "prune" if kept_pass else "pass-2"
    store = trial.context.store
    found = [stage for key in keys if (stage := store.find(kind, key))]
    if len(found) == len(keys):
        return FoldedResult.of(found) if trial.fold_bases else found[0]
    _LOG.warning("%s is gone from %s and is computed again", stage_label(kind, kept_pass), store.folder)
    return rerun(trial, kept_pass)


def predict_validation(trial: OpenTrial, kept: StageResult) -> Predictions:
    """What a finished trial takes its validation clips for.

    Those of folds are all training clips, each as the fold takes it that did not train on it.
    """
    folds = trial.folds(Reporters()) or [trial]
    told = [_predict(fold, kept.fold(index), "validation") for index, fold in enumerate(folds)]
    return Predictions(
        clip_ids=tuple(clip_id for fold in told for clip_id in fold.clip_ids),
        labels_N=np.concatenate([fold.labels_N for fold in told]),
        probabilities_NK=np.concatenate([fold.probabilities_NK for fold in told]),
    )


def predict_test(trial: OpenTrial, kept: StageResult, *, refitted: bool) -> Predictions:
    """What a finished trial takes the test clips for.

    Args:
        trial: that is finished.
        kept: the pass that it kept.
        refitted: take the network that is refit on all training clips, which is trained where it is not
            in the stage store. Folds have no other, as none of theirs was chosen.

    Raises:
        TrialError: where refitting fails.
    """
    if refitted:
        everything = to_refit(trial, kept)
        return _predict(everything, refit(everything, kept)[-1], "test")
    return _predict(trial, kept, "test")


def _predict(trial: OpenTrial, stage: StageResult, part: Part) -> Predictions:
    feed = trial.feed
    stacks, labels_N = predict(
        trial.load_network(stage),
        feed,
        part,
        num_sets=feed.test_sets,
        autocast=trial.context.device.autocast,
    )
    names = trial.context.clips.clips.clip_id
    return Predictions(
        clip_ids=tuple(names[row] for row in feed.rows(part)),
        labels_N=labels_N.cpu().numpy(),
        probabilities_NK=stacks[-1].cpu().numpy(),
    )
