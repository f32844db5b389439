"""HAC's recipe: two passes of training, then pruning passes."""

from __future__ import annotations

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import ChainEnd, Recipe, ResultT, StageRequest
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE


def hac(config: TrialConfig, ends: ChainEnd) -> Recipe[ResultT]:
    """Yield pass 1, pass 2 and pruning passes until the chain ends.

    Args:
        config: config of the trial. The order of the stages depends on its objective only.
        ends: returns whether the chain ends: by the stop rule or at the sampled number of passes in a search,
            at the kept pass in a refit.

    Returns:
        Pass 1, pass 2, prune 1, prune 2, ...
    """
    pass_1 = yield StageRequest(PASS_1)
    chain = [(yield StageRequest(PASS_2, (pass_1,)))]
    while not ends([stage.measure(config.objective) for stage in chain]):
        chain.append((yield StageRequest(PRUNE, (pass_1, *chain), pass_index=len(chain))))
    return (pass_1, *chain)
