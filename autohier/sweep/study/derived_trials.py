"""Values that follow from trained chains: observations of shorter chains, and the best prefixes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.attributes import CHAIN, COSTS
from autohier.sweep.study.sampling.search_space import prefix_names

_NUM_PREFIXES = 6


@dataclass(frozen=True, slots=True)
class Worth:
    """Worth of a chain."""

    value: float
    """Best value of its passes within the bound; of all passes if none is."""
    excess: float | None
    """Share of the bound by which its cheapest pass exceeds it, at most 0 if a pass is within it; None
    without a bound, or if the costs are unknown."""


def worth_of(chain: Sequence[float], costs: Sequence[int], bound: int | None) -> Worth:
    """Return the worth of a chain.

    Args:
        chain: values of its passes.
        costs: multiply-adds of its passes; may be unknown.
        bound: on the multiply-adds.
    """
    if bound is None or len(costs) < len(chain):
        return Worth(max(chain), None)
    within = [value for value, cost in zip(chain, costs, strict=False) if cost <= bound]
    return Worth(max(within or chain), min(costs[: len(chain)]) / bound - 1)


def shorter_chains(trial: FrozenTrial, bound: int | None = None) -> Iterator[tuple[int, Worth]]:
    """Yield the value that a trial's config would have with each lower number of pruning passes.

    A config with k passes trains the first k passes of the same chain, and nothing else. Its value is the
    best accuracy of these and of pass 2.

    Args:
        trial: complete or pruned, of the study.
        bound: on the multiply-adds of a network.

    Yields:
        Number of passes and worth: for all lower numbers if the trial is complete, even if the stop rule
        ended its chain; up to the last trained pass if it was pruned.
    """
    chain, num_passes = trial.user_attrs[CHAIN], trial.params["passes"]
    costs = trial.user_attrs.get(COSTS, ())
    if trial.state is TrialState.PRUNED:
        num_passes = min(num_passes, len(chain))
    for passes in range(num_passes):
        yield passes, worth_of(chain[: passes + 1], costs, bound)


class Prefixes:
    """Prefixes (the parameters that pass 2 depends on), with the best value of any config that has them.

    Configs with the same prefix share pass 2, the most expensive stage of a trial after pass 1.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._names = prefix_names(space)
        self._best: dict[tuple[object, ...], tuple[float, int, Mapping[str, Any]]] = {}

    def add(self, params: Hyperparameters, encoded: Mapping[str, Any], value: float) -> None:
        """Add the value of a config."""
        identity = params.prefix
        earlier = self._best.get(identity)
        if earlier is None:
            prefix = {name: encoded[name] for name in self._names}
            self._best[identity] = (value, -len(self._best), prefix)
        elif value > earlier[0]:
            self._best[identity] = (value, *earlier[1:])

    def best(self) -> list[Mapping[str, Any]]:
        """Return the codes of at most six prefixes, best first, ties in order of arrival."""
        best = heapq.nlargest(_NUM_PREFIXES, self._best.values(), key=lambda entry: entry[:2])
        return [prefix for _, _, prefix in best]
