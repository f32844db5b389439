"""The recipe of joint learning: bases trained for a level each, a joint layer on top, then pruning passes."""

from __future__ import annotations

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import ChainEnd, Recipe, ResultT, StageRequest
from autohier.core.stages.kinds.hac import PRUNE
from autohier.core.stages.kinds.joint import ELEMENT_BASE, EVENT_BASE, JOINT, SET_BASE


def joint(config: TrialConfig, ends: ChainEnd) -> Recipe[ResultT]:
    """Yield a base for each level, the joint stage on the frozen bases, and pruning passes.

    The base of the classes comes first, as superclasses that the dataset does not have follow from its
    confusion matrix. Leong et al. (ICIP 2021) end with the joint stage, as a trial without pruning passes
    does. A pruning pass retrains the whole network, bases included.

    Args:
        config: config of the trial.
        ends: returns whether the chain ends; see `hac`.

    Returns:
        The bases of element, set and event, joint, prune 1, prune 2, ...
    """
    bases: tuple[ResultT, ...] = ()
    for kind in (ELEMENT_BASE, SET_BASE, EVENT_BASE):
        bases = (*bases, (yield StageRequest(kind, bases)))
    chain = [(yield StageRequest(JOINT, bases))]
    while not ends([stage.measure(config.objective) for stage in chain]):
        chain.append((yield StageRequest(PRUNE, (*bases, *chain), pass_index=len(chain))))
    return (*bases, *chain)
