"""Search by extrapolation (freeze-thaw), for `search_quality.py`: arms that lost, kept to be tried again.

The model of `autohier.sweep.choice.model` predicts networks that are not trained yet: the later passes of a
trial that runs, and new configs. Two uses can be combined:

- *Stopping*: after the first rung of pass 2 and after every pass, a trial stops if none of its later passes
  is better than the best network so far with a probability of `least_chance`.
- *Sampling*: the next config, and its number of passes, have the highest expected improvement, divided by a
  power of the epochs that it would train.

The model's parameters are estimated again whenever a quarter more was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, exp, pi, sqrt
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.stages.kinds.base import StageKind
from autohier.digest import derive_seed
from autohier.sweep.choice.measured import Measured, unique
from autohier.sweep.choice.model import NoiseModel
from autohier.sweep.planning.simulation.searchers import SearchedTrial, StudySearcher
from autohier.sweep.scheduling.early_stopping import TrialStoppedError
from autohier.sweep.scheduling.no_stopping import NoStopping
from autohier.sweep.study.sampling.search_space import decode, distributions, encode

_NUM_RANDOM, _NUM_NEAR = 20, 36
"""Candidates of a sample: random configs, and configs that differ from one of the best in one value."""
_REFIT = 1.25
"""Growth of the number of measurements after which the model's parameters are estimated again."""
_FEWEST = 20
"""Measurements before which the model neither stops nor samples."""


@dataclass(frozen=True, slots=True)
class _Params:
    """The values of `Hyperparameters` that the model reads, computed once."""

    superclasses: tuple[int, ...]
    weight_ratio: float
    scope: str
    ratio: float
    variant: str
    settings: tuple[Any, ...]
    flat: tuple[object, ...]
    prefix: tuple[object, ...]
    chain: tuple[object, ...]

    @classmethod
    def of(cls, params: Hyperparameters) -> Hyperparameters:
        """Return the values of hyperparameters."""
        names = cls.__dataclass_fields__
        return cast("Hyperparameters", cls(**{name: getattr(params, name) for name in names}))


class _Model(NoiseModel):
    """The model of the choice with parameters that were estimated before."""

    def __init__(
        self, measured: Sequence[Measured], num_clips: int, logs: NDArray[np.float64] | None
    ) -> None:
        self._given = logs
        super().__init__(measured, num_clips)

    def _fit(self, sample: Sequence[int]) -> NDArray[np.float64]:
        return super()._fit(sample) if self._given is None else self._given


class _Extrapolator:
    """Everything that a sweep has measured, and what follows for other networks."""

    def __init__(self, num_clips: int) -> None:
        self._num_clips = num_clips
        self._measured: list[Measured] = []
        self._logs: NDArray[np.float64] | None = None
        self._model: _Model | None = None
        self._networks: list[Measured] = []
        self._num_fitted = self._num_modelled = 0

    def add(self, measured: Measured) -> None:
        """Add a measurement."""
        self._measured.append(measured)

    @property
    def networks(self) -> Sequence[Measured]:
        """Networks that were measured after a pass, the highest estimate first."""
        self._update()
        return self._networks

    def best(self) -> list[Measured]:
        """Return the measured networks with the highest estimates, at most six with different prefixes."""
        found: dict[object, Measured] = {}
        for network in self.networks:
            found.setdefault(network.params.prefix, network)
        return list(found.values())[:6]

    def against_best(self, networks: Sequence[Measured]) -> tuple[list[float], list[float]]:
        """Return the probability that each network is better than the best measured one, and by how much."""
        best = self.networks[:1]
        if not self._model or not best:
            return [1.0] * len(networks), [1.0] * len(networks)
        posterior = self._model.posterior([*best, *networks])
        sds = np.sqrt(np.maximum(posterior.difference_variances(0)[1:], 1e-12))
        scores = (posterior.means[1:] - posterior.means[0]) / sds
        chances = [0.5 * (1 + erf(score / sqrt(2))) for score in scores]
        gains = [
            sd * (score * chance + exp(-(score**2) / 2) / sqrt(2 * pi))
            for sd, score, chance in zip(sds, scores, chances, strict=True)
        ]
        return chances, gains

    def _update(self) -> None:
        stages = unique(self._measured)
        if len(stages) < _FEWEST or len(stages) == self._num_modelled:
            return
        if len(stages) > _REFIT * self._num_fitted:
            self._logs, self._num_fitted = None, len(stages)
        self._model = _Model(stages, self._num_clips, self._logs)
        self._logs, self._num_modelled = self._model._logs, len(stages)  # noqa: SLF001
        finals = list({each.network: each for each in stages if each.rung_epoch is None}.values())
        self._networks = [finals[index] for index in np.argsort(-self._model.posterior(finals).means)]


class ExtrapolatingSearcher(StudySearcher):
    """A sweep of autohier that stops trials, or samples configs, by extrapolation. Implements `Searcher`.

    Args:
        plan: of the sweep; its scheduler stops trials only by name, so that there are rungs.
        num_clips: number of validation clips.
        least_chance: lowest probability of a better pass with which a trial continues; 0 stops none.
        samples: sample by the model instead of the plan's sampler.
        cost_power: power of the epochs by which expected improvements are divided.
        rung: take a rung within pass 2.
    """

    def __init__(
        self,
        plan: SweepPlan,
        num_clips: int,
        *,
        least_chance: float,
        samples: bool,
        cost_power: float = 1.0,
        rung: bool = True,
    ) -> None:
        super().__init__(plan)
        self._scheduler = NoStopping(self._study.rungs)  # the plan's makes the study know rungs
        self._plan, self._least_chance, self._cost_power = plan, least_chance, cost_power
        self._extrapolator = _Extrapolator(num_clips)
        self._rung = max(2, plan.space.pass_2.epochs // 4) if rung and least_chance else 0
        if samples:
            self._study._sample = self._sample  # type: ignore[method-assign]  # noqa: SLF001

    def next_trial(self) -> SearchedTrial | None:
        """See `Searcher`."""
        trial = super().next_trial()
        return trial and _Extrapolated(
            trial, self._extrapolator, self._plan.space, self._least_chance, self._rung
        )

    def _sample(self, index: int) -> tuple[dict[str, Any], str]:
        space = self._plan.space
        random = np.random.default_rng(derive_seed(self._plan.seed, "extrapolate", index))
        codes = [_random_code(space, random) for _ in range(_NUM_RANDOM)]
        best = self._extrapolator.best()
        for number in range(_NUM_NEAR if best else 0):
            near = best[number % len(best)]
            codes.append(_near_code(space, random, near))
        trained = {each.network for each in self._extrapolator.networks}
        options, networks, costs = [], [], []
        for code in codes:
            params = decode(space, {**code, "passes": space.search.max_passes})
            lean = _Params.of(params)
            cost = 0
            for k in range(space.search.max_passes + 1):
                network = Measured("", lean, 0, k, 0.0)
                if network.network not in trained:
                    cost += space.pruning.epochs if k else space.pass_2.epochs
                    options.append({**code, "passes": k})
                    networks.append(network)
                    costs.append(cost)
        _, gains = self._extrapolator.against_best(networks)
        scores = np.array(gains) / np.array(costs) ** self._cost_power
        return options[int(scores.argmax())], "extrapolated"


def _random_code(space: SearchSpace, random: np.random.Generator) -> dict[str, Any]:
    code: dict[str, Any] = {}
    for name, one in distributions(space).items():
        code[name] = one.to_external_repr(_random_value(one, random))
    return code


def _random_value(one: Any, random: np.random.Generator) -> float:
    if hasattr(one, "choices"):
        return float(random.integers(len(one.choices)))
    if isinstance(one.low, int):
        return float(random.integers(one.low, one.high + 1))
    return float(random.uniform(one.low, one.high))


def _near_code(space: SearchSpace, random: np.random.Generator, near: Measured) -> dict[str, Any]:
    given = near.params
    params = Hyperparameters(
        superclasses=given.superclasses,
        weight_ratio=given.weight_ratio,
        scope=given.scope,
        ratio=given.ratio,
        passes=near.pass_index,
    )
    code = encode(space, params)
    names = list(code)
    for name in random.choice(names, size=random.integers(1, 3), replace=False):
        one = distributions(space)[str(name)]
        code[str(name)] = one.to_external_repr(_random_value(one, random))
    return code


class _Extrapolated:
    """A trial that stops by extrapolation. Implements `SearchedTrial`."""

    def __init__(
        self,
        trial: SearchedTrial,
        extrapolator: _Extrapolator,
        space: SearchSpace,
        least_chance: float,
        rung: int,
    ) -> None:
        self.config, self._trial, self._extrapolator = trial.config, trial, extrapolator
        self._least_chance, self._rung = least_chance, rung
        self._params = _Params.of(trial.config.params)
        first = space.config(space.initial[0].as_params(), seed=0).params
        self._stops = least_chance > 0 and trial.config.params.effect != first.effect

    def after_epoch(self, kind: StageKind, epoch: int, value: float, *, reused: bool) -> None:
        """See `SearchedTrial`."""
        self._trial.after_epoch(kind, epoch, value, reused=reused)
        if kind.starts_chain and epoch + 1 == self._rung and not reused:
            self._add(0, value, self._rung)
            self._stop_unless_promising(0)

    def after_pass(self, pass_index: int, value: float) -> None:
        """See `SearchedTrial`."""
        self._trial.after_pass(pass_index, value)
        self._add(pass_index, value, None)
        if pass_index < self.config.params.passes:
            self._stop_unless_promising(pass_index + 1)

    def end(self, chain: Sequence[float], stopped: str) -> None:
        """See `SearchedTrial`."""
        self._trial.end(chain, stopped)

    def _add(self, pass_index: int, value: float, rung: int | None) -> None:
        self._extrapolator.add(Measured("", self._params, self.config.seed, pass_index, value, rung))

    def _stop_unless_promising(self, next_pass: int) -> None:
        if not self._stops:
            return
        passes = range(next_pass, self.config.params.passes + 1)
        later = [Measured("", self._params, self.config.seed, k, 0.0) for k in passes]
        chances, _ = self._extrapolator.against_best(later)
        if max(chances) < self._least_chance:
            raise TrialStoppedError(f"a chance of {max(chances):.0%} to become the best")
