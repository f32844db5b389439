"""Sampling hyperparameters with Optuna's samplers, from what a sweep has observed.

A sampler gets a bounded number of observations, and no trial is copied deeply for it. So sampling costs the
same in a long sweep as in a short one, leaves no trace if the sample is not used, and depends on its
arguments alone.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autohier.config.search.search_space import SearchSpace
from autohier.sweep.fronts import cost_step, least_needed
from autohier.sweep.study.sampling.samplers import build_sampler
from autohier.sweep.study.sampling.search_space import PRUNING_NAMES, distributions

_NUM_BEST, _NUM_LATEST = 50, 150
"""Observations kept for a sampler in a long sweep; TPE models its good configs from at most 25."""


class Observations:
    """The latest trials with a value, and the best of the earlier ones: what a sampler learns from."""

    def __init__(self) -> None:
        self._latest: deque[FrozenTrial] = deque()
        self._best: list[tuple[float, int, FrozenTrial]] = []
        """A heap: the worst first, and the later first among equals."""
        self._num_earlier = 0

    def add(self, trial: FrozenTrial) -> None:
        """Add a trial with a value; the cost does not depend on how many were added."""
        self._latest.append(trial)
        if len(self._latest) > _NUM_LATEST:
            earlier = self._latest.popleft()
            value = earlier.value if earlier.value is not None else float("-inf")
            self._num_earlier += 1
            heapq.heappush(self._best, (value, -self._num_earlier, earlier))
        if len(self._best) > _NUM_BEST:
            heapq.heappop(self._best)

    def __iter__(self) -> Iterator[FrozenTrial]:
        yield from (trial for _, _, trial in sorted(self._best, reverse=True))
        yield from self._latest


class FrontObservations:
    """Observations of two objectives: the latest trials, and the earlier ones that are near the front."""

    def __init__(self) -> None:
        self._latest: deque[FrozenTrial] = deque()
        self._best: list[FrozenTrial] = []

    def add(self, trial: FrozenTrial) -> None:
        """Add a trial, which has no values if it was stopped; see `Observations.add`."""
        self._latest.append(trial)
        if len(self._latest) > _NUM_LATEST:
            earlier = self._latest.popleft()
            if earlier.values:
                self._best.append(earlier)
        if len(self._best) > _NUM_BEST:
            del self._best[
                least_needed([(value, cost) for value, cost in (one.values for one in self._best)])
            ]

    def __iter__(self) -> Iterator[FrozenTrial]:
        yield from self._best
        yield from self._latest


class ConfigSampler:
    """Samples for one trial: from the same observations, each sample with a seed of its own.

    Args:
        space: the search space.
        observed: trials with a value, complete or pruned.
        running: trials without a value yet; some samplers avoid their configs.
    """

    def __init__(
        self, space: SearchSpace, observed: Iterable[FrozenTrial], running: Iterable[FrozenTrial]
    ) -> None:
        self._space = space
        self._distributions = distributions(space)
        self._searched = {name: one for name, one in sorted(self._distributions.items()) if not one.single()}
        self._storage = _ObservedStorage([*_with_steps(observed), *running])
        directions = [StudyDirection.MAXIMIZE]
        if space.search.second_objective is not None:
            directions.append(StudyDirection.MINIMIZE)
        study_id = self._storage.create_new_study(directions)
        self._study = optuna.Study(self._storage.get_study_name_from_id(study_id), self._storage)
        # Samplers may store attributes with the trial that they sample for.
        self._trial = self._storage.get_trial(self._storage.create_new_trial(study_id))

    def sample(self, sampler: str, seed: int, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the study's parameters of a config.

        Args:
            sampler: registered name of the sampler.
            seed: of the sampler.
            fixed: parameters that are given; the others are sampled.
        """
        built = build_sampler(sampler, seed, self._space)
        built.before_trial(self._study, self._trial)
        sampled = built.sample_relative(self._study, self._trial, self._searched)
        encoded = {**sampled, **fixed}
        missing = [name for name in self._distributions if name not in encoded]
        searched = [name for name in missing if name in self._searched]
        single = [name for name in missing if name not in self._searched]
        encoded |= self._independent(built, searched) | self._uniform(single, seed)
        return encoded

    def pruning(self, seed: int) -> dict[str, Any]:
        """Sample the parameters that decide how much is pruned, uniformly."""
        return self._uniform(PRUNING_NAMES, seed)

    def vary(self, encoded: Mapping[str, Any], seed: int, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Sample one parameter again and keep the others: a step to a neighbor, much cheaper than `sample`.

        Args:
            encoded: parameters from which the step begins.
            seed: of the step.
            fixed: parameters that stay.
        """
        free = [name for name in self._searched if name not in fixed]
        if not free:
            return dict(encoded)
        name = free[np.random.default_rng(seed).integers(len(free))]
        return {**encoded, **self._uniform([name], seed)}

    def _uniform(self, names: Sequence[str], seed: int) -> dict[str, Any]:
        return self._independent(RandomSampler(seed=seed), names)

    def _independent(self, sampler: BaseSampler, names: Sequence[str]) -> dict[str, Any]:
        return {
            name: sampler.sample_independent(self._study, self._trial, name, self._distributions[name])
            for name in names
        }


def _with_steps(observed: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return trials whose multiply-adds, if they have any, are replaced by steps above the lowest.

    Halving a low cost then counts as much as halving a high one, and costs that count as equal are equal.
    """
    trials = list(observed)
    steps = [cost_step(trial.values[1]) for trial in trials if trial.values and len(trial.values) > 1]
    for index, trial in enumerate(trials if steps else ()):
        if trial.values:
            value, cost = trial.values
            trials[index] = scaled = copy(trial)
            scaled.values = [value, cost_step(cost) - min(steps)]
    return trials


class _ObservedStorage(InMemoryStorage):
    """Shows a sampler the given trials, renumbered, through Optuna's storage API.

    A trial's number in the sweep's study also counts trials that earlier drivers lost. A sample must not
    depend on these.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._observed = [copy(trial) for trial in trials]
        for number, trial in enumerate(self._observed):
            trial.number = number

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002
        deepcopy: bool = True,  # noqa: ARG002
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        return [trial for trial in self._observed if states is None or trial.state in states]
