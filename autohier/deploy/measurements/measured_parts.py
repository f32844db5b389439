"""Networks of a model with the clips that measure each: of its own splits, or of other prepared datasets.

Legend: N clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.config.fusion import Member
from autohier.core.prediction import find_kept_pass
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import refit, to_refit
from autohier.data.store.reader import ClipStore
from autohier.deploy.measurements.other_clips import OtherClips
from autohier.deploy.measurements.other_predictions import fitting_clips
from autohier.deploy.trained_models import ModelNetwork, TrainedModel, trial_network
from autohier.fusion.evaluate import Model
from autohier.fusion.members import Log, MemberOpener, SplitName


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPart:
    """One network of a model, open, and the clips that measure it."""

    member: int
    """Position of its member; the networks of a member's folds share it and have different clips."""
    network: ModelNetwork
    store: ClipStore
    rows: NDArray[np.int64]
    labels_N: NDArray[np.int64]
    """Classes of the clips, in the order of the model's outputs."""

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Ids of the clips, in the order of the rows."""
        return tuple(self.store.clips.clip_id[row] for row in self.rows)


def own_parts(
    model: Model, split: SplitName, *, refitted: bool, opener: MemberOpener, log: Log
) -> Iterator[MeasuredPart]:
    """Open the networks of a trial or a fusion with their own clips; use each before the next is opened.

    Args:
        model: the trial or the fusion.
        split: "validation" or "test"; with folds, each fold's network has the clips that it held out.
        refitted: on the test split, use networks that are refit on all training clips.
        opener: opens a member.
        log: called with lines of progress.

    Raises:
        InputError, MissingDataError: see `open_member`.
        TrialError: if a stage is missing from the stage store, and training it fails.
    """
    for index, member in enumerate(model.members):
        trial = opener(member)
        log(f"{member.name}: opening its network")
        kept = find_kept_pass(trial, member.kept_pass, member.stage_keys[-1])
        if split == "validation":
            for fold, setup in enumerate(trial.folds(CallbackList()) or [trial]):
                yield _own_part(index, member, setup, kept.fold(fold), split)
        elif refitted:
            everything = to_refit(trial, kept)
            yield _own_part(index, member, everything, refit(everything, kept)[-1], split)
        else:
            yield _own_part(index, member, trial, kept, split)


def _own_part(
    index: int, member: Member, trial: TrialSetup, stage: StageResult, split: SplitName
) -> MeasuredPart:
    store, rows = trial.context.clips, trial.data_loader.rows(split)
    return MeasuredPart(index, trial_network(member, trial, stage), store, rows, store.clips.label[rows])


def other_parts(model: TrainedModel, others: Sequence[OtherClips]) -> Iterator[MeasuredPart]:
    """Open the networks of a model with the clips of other stores; use each before the next is opened.

    Raises:
        InputError: if a network cannot read any of the stores.
    """
    for index, network in enumerate(model.open_networks()):
        clips = fitting_clips(network, others)
        yield MeasuredPart(index, network, clips.store, clips.rows, clips.labels_N)
