"""The recipe of P-I3D: members trained alone, then together, then with a fixed LSTM, then pruning passes."""

from __future__ import annotations

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import ChainEnd, Recipe, ResultT, StageRequest
from autohier.core.stages.kinds.attention import (
    ATTENTION,
    BODY_BASE,
    FIXED_POSE,
    LEFT_HAND_BASE,
    POSE_BASE,
    RIGHT_HAND_BASE,
)
from autohier.core.stages.kinds.hac import PRUNE


def attention(config: TrialConfig, ends: ChainEnd) -> Recipe[ResultT]:
    """Yield a base for each member, the attention stage, the stage with a fixed LSTM, and pruning passes.

    This is algorithm 1 of Das et al. (WACV 2019). Superclasses follow from the confusion matrix of the
    attention stage, and the stage with a fixed LSTM is pass 2 of HAC. A pruning pass retrains the whole
    network.

    Args:
        config: config of the trial.
        ends: returns whether the chain ends; see `hac`.

    Returns:
        The bases of body, left hand, right hand and pose, attention, fixed-pose, prune 1, prune 2, ...
    """
    flat: tuple[ResultT, ...] = ()
    for kind in (BODY_BASE, LEFT_HAND_BASE, RIGHT_HAND_BASE, POSE_BASE, ATTENTION):
        flat = (*flat, (yield StageRequest(kind, flat)))
    chain = [(yield StageRequest(FIXED_POSE, flat))]
    while not ends([stage.measure(config.objective) for stage in chain]):
        chain.append((yield StageRequest(PRUNE, (*flat, *chain), pass_index=len(chain))))
    return (*flat, *chain)
