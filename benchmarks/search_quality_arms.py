"""Arms of `search_quality.py`: searches of the same space by several libraries, behind one interface.

Every arm tries the space's initial configs first and reports every epoch to its library, from the end of
pass 2 on the best pass so far. Stopping rules begin within pass 2, since all trials are alike before.

    plain               Ray Tune with its stock OptunaSearch (TPE); no trial is stopped
    asha                the same with Ray's stock ASHAScheduler
    hyperband           Optuna's TPE with its HyperbandPruner
    random              Optuna's random sampler; no trial is stopped
    smac                SMAC3's hyperparameter optimization facade; no trial is stopped
    bohb                Syne Tune's BOHB
    ours-none           a sweep of autohier without stopping
    ours-halving        a sweep of autohier with its scheduler successive-halving
    ours-promising      a sweep of autohier with its scheduler promising
    ours-asha           a sweep of autohier with its scheduler asha
    ours-gp             a sweep of autohier without stopping, with its sampler gp
    ours-sobol          the same with TPE, whose start-up trials are quasi-random (Sobol)
    ours-extrapolated   the same, sampled by extrapolation (`search_quality_extrapolation.py`)
    ours-stopped        the same with TPE, trials stopped by extrapolation
    ours-both           sampled and stopped by extrapolation, after three of the initial configs
"""

from __future__ import annotations

import importlib.util
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from search_quality_extrapolation import ExtrapolatingSearcher

from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.kinds.base import StageKind
from autohier.sweep.planning.simulation.regimes import B, N
from autohier.sweep.planning.simulation.searchers import SearchedTrial, Searcher, StudySearcher
from autohier.sweep.scheduling.early_stopping import TrialStoppedError
from autohier.sweep.study.sampling.search_space import decode, distributions, encode

_FIRST_RUNG = 4
"""The first rung lies a quarter through pass 2, as autohier's."""

_STARTUP_TRIALS = 10
"""Trials of a sweep that no sampler proposes."""

OnEpoch = Callable[[int, float], bool]
"""Takes the number of epochs so far and the value; returns whether the trial stops."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to search."""

    build: Callable[[SearchSpace, int, int], Searcher]
    """Called with the space, the number of trials and the seed."""
    needs: str = ""
    """Module of the extra ``bench``; empty if the arm needs none."""
    share_stages: bool = True

    @property
    def is_installed(self) -> bool:
        """True if the module that the arm needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


class LibraryTrial:
    """A trial of another library. Implements `SearchedTrial`."""

    def __init__(self, config: TrialConfig, on_epoch: OnEpoch, on_end: Callable[[float, bool], None]) -> None:
        self.config, self._on_epoch, self._on_end = config, on_epoch, on_end
        self._epochs, self._last, self._chain = 0, 0.0, list[float]()

    def after_epoch(self, kind: StageKind, epoch: int, value: float, *, reused: bool) -> None:  # noqa: ARG002
        """See `SearchedTrial`."""
        self._epochs += 1
        self._last = max([value, *self._chain])
        if self._on_epoch(self._epochs, self._last):
            raise TrialStoppedError("stopped by the library")

    def after_pass(self, pass_index: int, value: float) -> None:  # noqa: ARG002
        """See `SearchedTrial`."""
        self._chain.append(value)

    def end(self, chain: Sequence[float], stopped: str) -> None:  # noqa: ARG002
        """See `SearchedTrial`."""
        self._on_end(self._last, bool(stopped))


class _Library(ABC):
    """Base of searchers that use another library. Implements `Searcher`."""

    def __init__(self, space: SearchSpace, trials: int, seed: int) -> None:
        self._space, self._trials, self._seed = space, trials, seed
        self._distributions = distributions(space)
        self._initial = [encode(space, config.as_params()) for config in space.initial]
        self._num_begun = 0
        self._grace = max(2, space.pass_2.epochs // _FIRST_RUNG)
        self._chain_epochs = space.pass_2.epochs + space.search.max_passes * space.pruning.epochs

    def next_trial(self) -> SearchedTrial | None:
        """See `Searcher`."""
        if self._num_begun == self._trials:
            return None
        self._num_begun += 1
        return self._begin(self._num_begun - 1)

    @abstractmethod
    def _begin(self, number: int) -> SearchedTrial:
        """Begin the trial of a number."""

    def _config(self, encoded: Mapping[str, Any]) -> TrialConfig:
        return self._space.config(decode(self._space, encoded), seed=self._seed)

    def _after_pass_1(self, epochs: int) -> int:
        """Return the epochs since the start of pass 2; not positive before."""
        return epochs - self._space.pass_1.epochs


class RaySearcher(_Library):
    """Ray Tune's OptunaSearch, with or without its ASHAScheduler."""

    def __init__(self, space: SearchSpace, trials: int, seed: int, *, asha: bool = False) -> None:
        from ray.tune.schedulers import ASHAScheduler
        from ray.tune.search.optuna import OptunaSearch

        super().__init__(space, trials, seed)
        self._search = OptunaSearch(
            self._distributions,
            metric="accuracy",
            mode="max",
            points_to_evaluate=self._initial,
            seed=seed,
        )
        self._scheduler = None
        if asha:
            pass_1 = space.pass_1.epochs
            self._scheduler = ASHAScheduler(
                max_t=pass_1 + self._chain_epochs + 1, grace_period=pass_1 + self._grace
            )
            self._scheduler.set_search_properties("accuracy", "max")

    def _begin(self, number: int) -> SearchedTrial:
        trial = _RayTrial(f"t{number}")
        config = self._config(self._search.suggest(trial.trial_id))
        if self._scheduler:
            self._scheduler.on_trial_add(None, trial)
        result: dict[str, float] = {}

        def on_epoch(epochs: int, value: float) -> bool:
            result.update(accuracy=value, training_iteration=epochs)
            self._search.on_trial_result(trial.trial_id, dict(result))
            return bool(self._scheduler and self._scheduler.on_trial_result(None, trial, result) == "STOP")

        def on_end(value: float, stopped: bool) -> None:  # noqa: ARG001
            self._search.on_trial_complete(trial.trial_id, dict(result))

        return LibraryTrial(config, on_epoch, on_end)


class _RayTrial:
    """The part of a Ray trial that a scheduler reads."""

    def __init__(self, name: str) -> None:
        self.trial_id = name


class OptunaSearcher(_Library):
    """Optuna's own loop, with a sampler and perhaps its HyperbandPruner."""

    def __init__(self, space: SearchSpace, trials: int, seed: int, *, hyperband: bool) -> None:
        super().__init__(space, trials, seed)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if hyperband:
            sampler = optuna.samplers.TPESampler(seed=seed)
            pruner = optuna.pruners.HyperbandPruner(self._grace, self._chain_epochs)
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        for config in self._initial:
            self._study.enqueue_trial(config)

    def _begin(self, number: int) -> SearchedTrial:  # noqa: ARG002
        trial = self._study.ask(self._distributions)

        def on_epoch(epochs: int, value: float) -> bool:
            step = self._after_pass_1(epochs)
            if step > 0:
                trial.report(value, step)
            return step > 0 and trial.should_prune()

        def on_end(value: float, stopped: bool) -> None:
            state = optuna.trial.TrialState.PRUNED if stopped else optuna.trial.TrialState.COMPLETE
            self._study.tell(trial, None if stopped else value, state)

        return LibraryTrial(self._config(trial.params), on_epoch, on_end)


class SobolSearcher(StudySearcher):
    """A sweep of autohier without stopping whose start-up trials follow a Sobol sequence."""

    def __init__(self, space: SearchSpace, trials: int, seed: int) -> None:
        super().__init__(plan_of(space, trials, seed, scheduler="none"))
        self._space, self._sampled = space, self._study._sample  # noqa: SLF001
        self._sequence = optuna.create_study(sampler=optuna.samplers.QMCSampler(scramble=True, seed=seed))
        self._study._sample = self._sample  # type: ignore[method-assign]  # noqa: SLF001

    def _sample(self, index: int) -> tuple[Mapping[str, Any], str]:
        if index >= max(_STARTUP_TRIALS, len(self._space.initial)):
            return self._sampled(index)
        # The first point only fixes the parameters that the sequence covers.
        while len(self._sequence.get_trials(deepcopy=False)) <= index:
            trial = self._sequence.ask(distributions(self._space))
            self._sequence.tell(trial, 0.0)
        return trial.params, "start-up, Sobol"


class SmacSearcher(_Library):
    """SMAC3: a random forest with expected improvement, as its hyperparameter optimization facade."""

    def __init__(self, space: SearchSpace, trials: int, seed: int) -> None:
        import ConfigSpace
        from smac import HyperparameterOptimizationFacade, Scenario

        super().__init__(space, trials, seed)
        parameters = ConfigSpace.ConfigurationSpace(seed=seed)
        for name, one in self._distributions.items():
            parameters.add(_smac_parameter(ConfigSpace, name, one))
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            parameters,
            n_trials=trials,
            deterministic=True,
            seed=seed,
            output_directory=Path(self._folder.name),
        )
        facade = HyperparameterOptimizationFacade
        initial = [ConfigSpace.Configuration(parameters, values=config) for config in self._initial]
        design = facade.get_initial_design(scenario, n_configs=10, additional_configs=initial)
        self._smac = facade(
            scenario, _never_called, initial_design=design, overwrite=True, logging_level=False
        )

    def _begin(self, number: int) -> SearchedTrial:  # noqa: ARG002
        from smac.runhistory.dataclasses import TrialValue

        info = self._smac.ask()
        encoded = {
            name: value.item() if hasattr(value, "item") else value for name, value in info.config.items()
        }

        def on_end(value: float, stopped: bool) -> None:  # noqa: ARG001
            self._smac.tell(info, TrialValue(cost=1 - value), save=False)

        return LibraryTrial(self._config(encoded), lambda *_: False, on_end)


def _never_called(config: Any, seed: int = 0) -> float:  # noqa: ARG001  the signature that SMAC3 checks
    raise RuntimeError("the benchmark trains, so SMAC3 has no function to call")


def _smac_parameter(config_space: Any, name: str, one: optuna.distributions.BaseDistribution) -> Any:
    if isinstance(one, optuna.distributions.CategoricalDistribution):
        return config_space.Categorical(name, list(one.choices))
    if isinstance(one, optuna.distributions.IntDistribution):
        return config_space.Integer(name, (one.low, one.high))
    return config_space.Float(name, (0.0, 1.0))


class BohbSearcher(_Library):
    """Syne Tune's BOHB: kernel densities per rung, with asynchronous successive halving."""

    def __init__(self, space: SearchSpace, trials: int, seed: int) -> None:
        from syne_tune.config_space import choice, randint, uniform
        from syne_tune.optimizer.baselines import BOHB

        super().__init__(space, trials, seed)
        parameters: dict[str, Any] = {}
        for name, one in self._distributions.items():
            if isinstance(one, optuna.distributions.CategoricalDistribution):
                parameters[name] = choice(list(one.choices))
            elif isinstance(one, optuna.distributions.IntDistribution):
                parameters[name] = randint(one.low, one.high)
            else:
                parameters[name] = uniform(0.0, 1.0)
        self._scheduler = BOHB(
            parameters,
            metric="accuracy",
            time_attr="epoch",
            max_t=self._chain_epochs + 1,
            do_minimize=False,
            random_seed=seed,
            grace_period=self._grace,
            points_to_evaluate=self._initial,
        )

    def _begin(self, number: int) -> SearchedTrial:
        from syne_tune.backend.trial_status import Trial

        suggested = self._scheduler.suggest()
        trial = Trial(number, suggested.config, datetime.now(tz=UTC))
        self._scheduler.on_trial_add(trial)
        last: dict[str, float] = {}

        def on_epoch(epochs: int, value: float) -> bool:
            step = self._after_pass_1(epochs)
            if step <= 0:
                return False
            last.update(accuracy=value, epoch=step)
            return bool(self._scheduler.on_trial_result(trial, dict(last)) == "STOP")

        def on_end(value: float, stopped: bool) -> None:  # noqa: ARG001
            if not stopped:
                self._scheduler.on_trial_complete(trial, dict(last))

        return LibraryTrial(self._config(suggested.config), on_epoch, on_end)


def plan_of(space: SearchSpace, trials: int, seed: int, **changes: Any) -> SweepPlan:
    """Return the plan of a sweep that is only simulated."""
    return SweepPlan(
        name="search-quality",
        study_name="search-quality",
        space=space,
        trials=trials,
        seed=seed,
        data_folder="unused",
        stage_folder="unused",
        **changes,
    )


def _ours(scheduler: str, **changes: Any) -> Arm:
    return Arm(
        lambda space, trials, seed: StudySearcher(
            plan_of(space, trials, seed, scheduler=scheduler, **changes)
        )
    )


def _extrapolating(least_chance: float, *, samples: bool, num_initial: int | None = None) -> Arm:
    def build(space: SearchSpace, trials: int, seed: int) -> Searcher:
        space = space.model_copy(update={"initial": space.initial[:num_initial]})
        scheduler = "successive-halving" if least_chance else "none"
        num_clips = (B if space.dataset == "demo" else N).num_validation_clips
        plan = plan_of(space, trials, seed, scheduler=scheduler)
        return ExtrapolatingSearcher(plan, num_clips, least_chance=least_chance, samples=samples)

    return Arm(build)


ARMS: dict[str, Arm] = {
    "plain": Arm(RaySearcher, share_stages=False),
    "asha": Arm(lambda *of: RaySearcher(*of, asha=True)),
    "hyperband": Arm(lambda *of: OptunaSearcher(*of, hyperband=True)),
    "random": Arm(lambda *of: OptunaSearcher(*of, hyperband=False)),
    "smac": Arm(SmacSearcher, needs="smac"),
    "bohb": Arm(BohbSearcher, needs="syne_tune"),
    "ours-none": _ours("none"),
    "ours-halving": _ours("successive-halving"),
    "ours-promising": _ours("promising"),
    "ours-asha": _ours("asha"),
    "ours-gp": _ours("none", sampler="gp"),
    "ours-sobol": Arm(SobolSearcher),
    "ours-extrapolated": _extrapolating(0.0, samples=True),
    "ours-stopped": _extrapolating(0.15, samples=False),
    "ours-both": _extrapolating(0.15, samples=True, num_initial=3),
}
