"""Drawing a setting: Optuna's samplers over what a sweep has seen.

A sampler sees a bounded number of observations, and no setting is copied for it. So a draw costs the same in
a long sweep as in a short one, leaves no trace where its setting is not wanted, and depends on nothing but
its arguments.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autohier.settings.space import Space
from autohier.settings.sweep import SamplerName
from autohier.sweep.coding import distributions

_NUM_BEST, _NUM_LATEST = 50, 150
"""What a sampler learns from in a long sweep; TPE models its good settings from at most 25."""


class Observations:
    """What a sampler learns from: the latest trials with a value, and the best of those before them."""

    def __init__(self) -> None:
        self._latest: deque[FrozenTrial] = deque()
        self._best: list[tuple[float, int, FrozenTrial]] = []
        """A heap: the worst first, and of equals the later."""
        self._num_earlier = 0

    def add(self, trial: FrozenTrial) -> None:
        """A value was told; costs the same however many were."""
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


class Draws:
    """The draws of one ask: from the same observations, each with a seed of its own.

    Args:
        space: what may be drawn.
        observed: trials with a value.
        running: trials without one yet: what they try is avoided by samplers that can.
    """

    def __init__(self, space: Space, observed: Iterable[FrozenTrial], running: Iterable[FrozenTrial]) -> None:
        self._distributions = distributions(space)
        self._searched = {name: one for name, one in sorted(self._distributions.items()) if not one.single()}
        self._storage = _Given([*observed, *running])
        study_id = self._storage.create_new_study([StudyDirection.MAXIMIZE])
        self._study = optuna.Study(self._storage.get_study_name_from_id(study_id), self._storage)
        # Samplers may leave notes with the trial that they draw for.
        self._trial = self._storage.get_trial(self._storage.create_new_trial(study_id))

    def draw(self, sampler: SamplerName, seed: int, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of a setting.

        Args:
            sampler: which of Optuna's.
            seed: of the sampler.
            fixed: parameters that are given; the others are drawn.
        """
        drawn = _sampler(sampler, seed).sample_relative(self._study, self._trial, self._searched)
        params = {**drawn, **fixed}
        missing = [name for name in self._distributions if name not in params]
        return params | self._uniform(missing, seed)

    def vary(self, params: Mapping[str, Any], seed: int, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Draw one parameter anew and leave the others: a step to a neighbour, far cheaper than a draw.

        Args:
            params: where the step begins.
            seed: of the step.
            fixed: parameters that stay.
        """
        free = [name for name in self._searched if name not in fixed]
        if not free:
            return dict(params)
        name = free[np.random.default_rng(seed).integers(len(free))]
        return {**params, **self._uniform([name], seed)}

    def _uniform(self, names: Sequence[str], seed: int) -> dict[str, Any]:
        sampler = RandomSampler(seed=seed)
        return {
            name: sampler.sample_independent(self._study, self._trial, name, self._distributions[name])
            for name in names
        }


class _Given(InMemoryStorage):
    """Shows samplers the trials that it is given, numbered anew, as one of Optuna's storages shows its own.

    A trial's number in the sweep's study also counts what drivers gave up, on which no draw may depend.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._given = [copy(trial) for trial in trials]
        for number, trial in enumerate(self._given):
            trial.number = number

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002
        deepcopy: bool = True,  # noqa: ARG002
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        return [trial for trial in self._given if states is None or trial.state in states]


def _sampler(name: SamplerName, seed: int) -> BaseSampler:
    # Optuna's own start-up would count derived observations as trials, so it is left to the study.
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "gp":
        return GPSampler(seed=seed, n_startup_trials=1)
    return TPESampler(seed=seed, n_startup_trials=1)
