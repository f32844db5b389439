"""Values that follow from trained chains: observations of shorter chains, and the best prefixes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.attributes import CHAIN
from autohier.sweep.study.search_space import prefix_names

_NUM_PREFIXES = 6


def shorter_chains(trial: FrozenTrial) -> Iterator[tuple[int, float]]:
    """Yield the value that a trial's config would have with each lower number of pruning passes.

    A config with k passes trains the first k passes of the same chain, and nothing else. Its value is the
    best accuracy of these and of pass 2.

    Args:
        trial: complete or pruned, of the study.

    Yields:
        Number of passes and value: for all lower numbers if the trial is complete, even if the stop rule
        ended its chain; up to the last trained pass if it was pruned.
    """
    chain, num_passes = trial.user_attrs[CHAIN], trial.params["passes"]
    if trial.state is TrialState.PRUNED:
        num_passes = min(num_passes, len(chain))
    for passes in range(num_passes):
        yield passes, max(chain[: passes + 1])


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
