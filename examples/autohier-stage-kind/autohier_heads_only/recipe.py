"""A trial recipe that uses the stage kind."""

from __future__ import annotations

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import ChainEnd, Recipe, ResultT, StageRequest
from autohier.core.stages.kinds.hac import PASS_1, PRUNE
from autohier_heads_only.kind import HeadsOnly


def heads_only(config: TrialConfig, ends: ChainEnd) -> Recipe[ResultT]:
    """Pass 1, the heads of pass 2 alone, then pruning passes, which train the whole network."""
    pass_1 = yield StageRequest(PASS_1)
    chain = [(yield StageRequest(HeadsOnly(), (pass_1,)))]
    while not ends([stage.measure(config.objective) for stage in chain]):
        chain.append((yield StageRequest(PRUNE, (pass_1, *chain), pass_index=len(chain))))
    return (pass_1, *chain)
