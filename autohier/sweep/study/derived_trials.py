"""Values that follow from trained chains: observations of shorter chains, and the best prefixes.

With one objective, a config is worth the best pass of its chain. If the search minimizes multiply-adds, too,
it is worth its last pass: the others are those of configs with fewer passes, none of which it replaces.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autohier.config.search.ranges import SearchRanges
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.fronts import Point, cost_step, front_ranks
from autohier.sweep.study.attributes import BOUND, CHAIN, COSTS
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
    multiply_adds: int | None = None
    """Those of the network that has the value; None if they are unknown."""

    @property
    def constraints(self) -> dict[str, float] | None:
        """Constraint of a trial of the study; None without a bound."""
        return None if self.excess is None else {BOUND: self.excess}

    def values(self, search: SearchRanges) -> list[float]:
        """Return the values of a trial of the study, one for each objective.

        Raises:
            ValueError: if the search minimizes multiply-adds, and they are unknown.
        """
        if search.second_objective is None:
            return [self.value]
        if self.multiply_adds is None:
            raise ValueError("a trial of a search that minimizes multiply-adds must report them")
        return [self.value, self.multiply_adds]


def worth_of(chain: Sequence[float], costs: Sequence[int], bound: int | None) -> Worth:
    """Return the worth of a chain.

    Args:
        chain: values of its passes.
        costs: multiply-adds of its passes; may be unknown.
        bound: on the multiply-adds.
    """
    if len(costs) < len(chain):
        return Worth(max(chain), None)
    passes = range(len(chain))
    within = [index for index in passes if bound is None or costs[index] <= bound]
    best = max(within or passes, key=chain.__getitem__)
    excess = None if bound is None else min(costs[: len(chain)]) / bound - 1
    return Worth(chain[best], excess, costs[best])


def last_worth(chain: Sequence[float], costs: Sequence[int], bound: int | None) -> Worth:
    """Return the worth of the last pass of a chain, for a search that minimizes multiply-adds, too.

    If an earlier pass is not more expensive, as nothing is pruned, its value counts if that is higher.

    Args:
        chain: values of its passes.
        costs: multiply-adds of its passes.
        bound: on the multiply-adds.
    """
    last = costs[len(chain) - 1]
    values = [value for value, cost in zip(chain, costs, strict=False) if cost_step(cost) <= cost_step(last)]
    return Worth(max(values), None if bound is None else last / bound - 1, last)


def observed_worth(trial: FrozenTrial, num_passes: int, search: SearchRanges) -> Worth | None:
    """Return what a sampler learns of a config with a number of passes from a trial that trained them.

    Args:
        trial: complete or pruned, of the study.
        num_passes: of the config; the stop rule may have ended the chain before.
        search: of the sweep.

    Returns:
        None if the search minimizes multiply-adds, and they are unknown.
    """
    chain, costs = trial.user_attrs[CHAIN][: num_passes + 1], trial.user_attrs.get(COSTS, ())
    if search.second_objective is None:
        return worth_of(chain, costs, search.max_multiply_adds)
    return last_worth(chain, costs, search.max_multiply_adds) if 0 < len(chain) <= len(costs) else None


def shorter_chains(trial: FrozenTrial, search: SearchRanges) -> Iterator[tuple[int, Worth]]:
    """Yield the worth that a trial's config would have with each lower number of pruning passes.

    A config with k passes trains the first k passes of the same chain, and nothing else.

    Args:
        trial: complete or pruned, of the study.
        search: of the sweep.

    Yields:
        Number of passes and worth: for all lower numbers if the trial is complete, even if the stop rule
        ended its chain; up to the last trained pass if it was pruned.
    """
    num_passes = trial.params["passes"]
    if trial.state is TrialState.PRUNED:
        num_passes = min(num_passes, len(trial.user_attrs[CHAIN]))
    for passes in range(num_passes):
        if (worth := observed_worth(trial, passes, search)) is not None:
            yield passes, worth


class Prefixes:
    """Prefixes (the parameters that pass 2 depends on), with the best value of any config that has them.

    Configs with the same prefix share pass 2, the most expensive stage of a trial after pass 1.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._names = prefix_names(space)
        self._best: dict[tuple[object, ...], tuple[float, int, Mapping[str, Any]]] = {}

    def add(self, params: Hyperparameters, encoded: Mapping[str, Any], worth: Worth) -> None:
        """Add the worth of a config."""
        identity, value = params.prefix, worth.value
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


class FrontPrefixes:
    """Prefixes of a search that minimizes multiply-adds, too, with the points of all configs that have them.

    Args:
        space: of the sweep.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._names = prefix_names(space)
        self._points: dict[tuple[object, ...], list[Point]] = {}
        self._codes: dict[tuple[object, ...], Mapping[str, Any]] = {}

    def add(self, params: Hyperparameters, encoded: Mapping[str, Any], worth: Worth) -> None:
        """Add the worth of a config; of a prefix only its own front is kept."""
        identity = params.prefix
        self._codes.setdefault(identity, {name: encoded[name] for name in self._names})
        points = [*self._points.get(identity, ()), (worth.value, float(worth.multiply_adds or 0))]
        ranks = front_ranks(points)
        self._points[identity] = [point for point, rank in zip(points, ranks, strict=True) if not rank]

    def best(self) -> list[Mapping[str, Any]]:
        """Return the codes of the prefixes on the front, and of those behind it until there are six."""
        owners = [identity for identity, points in self._points.items() for _ in points]
        ranks = front_ranks([point for points in self._points.values() for point in points])
        best: dict[tuple[object, ...], int] = {}
        for identity, rank in zip(owners, ranks, strict=True):
            best[identity] = min(rank, best.get(identity, rank))
        order = sorted(best, key=best.__getitem__)
        number = max(_NUM_PREFIXES, sum(rank == 0 for rank in best.values()))
        return [self._codes[identity] for identity in order[:number]]
