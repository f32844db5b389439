"""Mean attention of a finished trial to each part of the body, by class.

Legend: B clips, K classes, P parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.validation_sample import sample_validation
from autohier.errors import InputError
from autohier.models.attention.part_attention import PartAttention


@dataclass(frozen=True, slots=True)
class MeanAttention:
    """Attention to each part, as the mean over the clips of a class."""

    parts: tuple[str, ...]
    means_KP: NDArray[np.float64]
    """Rows sum to one; NaN for a class without clips."""
    num_clips: int


@torch.no_grad()
def mean_attention(trial: TrialSetup, kept: StageResult, *, num_clips: int) -> MeanAttention:
    """Return the attention of a network over validation clips, evenly chosen; see `sample_validation`.

    Args:
        trial: the finished trial.
        kept: a pass of its chain.
        num_clips: maximum number of clips.

    Raises:
        InputError: if the network weighs no parts.
        StageDamagedError: if the weights of the pass are missing or damaged.
    """
    sample = sample_validation(trial, kept, num_clips=num_clips)
    recognizer = sample.network.eval().recognizer
    if not isinstance(recognizer, PartAttention):
        raise InputError(
            "the network must weigh parts of the body", got=trial.config.recognizer.name, hint="leave it out"
        )
    sums_KP = np.zeros((trial.config.num_classes, len(recognizer.part_names)))
    sizes_K = np.zeros(len(sums_KP))
    for clips, labels_B in sample.loader.evaluation_set("validation", 0, 1):
        if isinstance(clips, dict):
            weights_BP = recognizer.attention_weights(clips["skeletons"]).double().cpu().numpy()
            np.add.at(sums_KP, labels_B.cpu().numpy(), weights_BP)
            np.add.at(sizes_K, labels_B.cpu().numpy(), 1)
    with np.errstate(invalid="ignore"):
        return MeanAttention(recognizer.part_names, sums_KP / sizes_K[:, None], sample.num_clips)
