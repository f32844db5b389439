"""Predictions: per-clip class probabilities of the networks of finished trials."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

import numpy as np

from autohier.core.recipes.chain import chain_kind
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.stages.executor import on_device
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.store.stage_files import read_description
from autohier.core.training.data_loader import Part
from autohier.core.training.evaluation import predict, with_pathways
from autohier.core.training.metrics import Predictions
from autohier.core.trial import StoreRunner, TrialOutcome, refit, rerun, to_refit
from autohier.errors import InputError

_LOG = logging.getLogger(__name__)


def find_kept_pass(trial: TrialSetup, kept_pass: int, keys: Sequence[str]) -> StageResult:
    """Return the pass that a finished trial kept; train it again if it is missing from the stage store.

    The lookup uses the stage keys, so that it also succeeds on a machine with other numerics. Training again
    reuses the stages of the trial's chain that the store has for this machine's numerics.

    Args:
        trial: the finished trial.
        kept_pass: 0 for pass 2, k for the k-th pruning pass.
        keys: stage keys of the kept pass, one for each fold.

    Raises:
        InputError: if the trial has other 2D weights or starting weights than the stored pass, from which a
            refit would start.
        TrialError: if the pass is trained again and that fails.
    """
    store, kind = trial.context.store, chain_kind(trial.config, kept_pass)
    cached = [stage for key in keys if (stage := store.find(kind, key))]
    for stage in cached:
        _require_same_start(trial, stage)
    if len(cached) == len(keys):
        return FoldedResult.of(cached) if trial.fold_bases else cached[0]
    _LOG.warning("%s is missing from %s; it is trained again", kind.label(kept_pass), store.folder)
    return rerun(trial, kept_pass)


def _require_same_start(trial: TrialSetup, stage: StageResult) -> None:
    path = trial.context.store.folder / stage.kind.name / stage.key
    stored, own = read_description(path)["inputs"]["base"]["network"], trial.base.network
    if (stored.get("weights_sha256"), stored.get("start_sha256")) != (own.weights_sha256, own.start_sha256):
        raise InputError(
            "a finished trial must have the weights that its network started from",
            got=f"others than {stage.kind.label(stage.pass_index)}",
            hint="name the file or stage of those with --pretrained",
        )


def predict_validation(trial: TrialSetup, kept: StageResult) -> Predictions:
    """Return the class probabilities of a finished trial's validation clips.

    A trial with folds validates all training clips; the network of the fold that held a clip out predicts it.
    """
    folds = trial.folds(CallbackList()) or [trial]
    # All folds of a trial have the same superclasses.
    return Predictions.joined(
        [_predict(fold, kept.fold(index), "validation") for index, fold in enumerate(folds)]
    )


def right_clips(trial: TrialSetup, outcome: TrialOutcome) -> str:
    """Return 1 for each validation clip that a trial's kept pass gets right, else 0, ordered by clip id."""
    stages = outcome.up_to_kept
    use = partial(predict_validation, trial, outcome.kept)
    predictions = StoreRunner(trial).with_weights(stages, use)
    pairs = sorted(zip(predictions.clip_ids, predictions.is_right, strict=True))
    return "".join(str(int(is_right)) for _, is_right in pairs)


def predict_test(trial: TrialSetup, kept: StageResult, *, refitted: bool) -> Predictions:
    """Return the class probabilities of the test clips.

    Args:
        trial: the finished trial.
        kept: the pass that the trial kept.
        refitted: use the network that is refit on all training clips; it is trained if it is not in the stage
            store. A trial with folds has no single network of its own and must be refit.

    Raises:
        TrialError: if the refit fails.
    """
    if refitted:
        everything = to_refit(trial, kept)
        return _predict(everything, refit(everything, kept)[-1], "test")
    return _predict(trial, kept, "test")


def _predict(trial: TrialSetup, stage: StageResult, part: Part) -> Predictions:
    return on_device(_predict_here, trial, stage, part)


def _predict_here(trial: TrialSetup, stage: StageResult, part: Part) -> Predictions:
    data_loader = trial.data_loader
    network, pathways = with_pathways(trial.load_network(stage))
    heads, labels_N = predict(
        network,
        data_loader,
        part,
        num_sets=data_loader.test_sets,
        flip=data_loader.test_flip,
        autocast=trial.context.device.autocast,
    )
    names = trial.context.clips.clips.clip_id
    own_N = labels_N.cpu().numpy()
    *levels, _ = stage.hierarchy.assignments
    stacks, own = heads[: len(heads) - len(pathways)], heads[len(heads) - len(pathways) :]
    return Predictions(
        clip_ids=tuple(names[row] for row in data_loader.rows(part)),
        labels_N=own_N,
        probabilities_NK=stacks[-1].cpu().numpy(),
        superclasses=tuple(stack_NS.cpu().numpy() for stack_NS in stacks[:-1]),
        superclass_labels=tuple(np.asarray(superclasses)[own_N] for superclasses in levels),
        pathways={name: own_NK.cpu().numpy() for name, own_NK in zip(pathways, own, strict=True)},
    )
