"""The driver's in-memory index of a study's trials; sampling a config costs the same however long a sweep is.

A trial of the Optuna study is one of three: a *try* of one of the sweep's trials, an observation derived from
a longer chain, or a result of another sweep (warm start). The latest try of a trial is the one that counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from statistics import mean

from optuna.trial import FrozenTrial, TrialState

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.scheduling.rungs import Rungs, StageParams
from autohier.sweep.study.derived_trials import Prefixes
from autohier.sweep.study.sampling import Observations
from autohier.sweep.study.search_space import OFF_GRID, params_of

INDEX, SEED, SOURCE, CHAIN, FAILURE = "ask", "seed", "source", "chain", "failure"
"""User attributes of a try: its trial index, its seed, the source of its config, the accuracies of its
passes, and the class of its failure, which is set only if the trial itself failed."""
FACTS, REASON = "facts", "reason"
"""User attributes of an ended try: facts such as its stage keys, and why it was stopped or failed."""
SEARCH = "search"
ROLE, CONFIRMS = "role", "confirms"
"""User attributes of a try that confirms another trial: its role (else `SEARCH`) and that trial's name."""
RUNG_EPOCHS = "rung_epochs"
"""Fact of an ended try: the epochs of pass 2 that the first steps of its values stand for."""
RETRIED = "taken_back"
"""User attribute of the study: Optuna numbers of failed trials that are to be run again."""
DERIVED_FROM = "derived_from"
"""User attribute of a derived observation: the number of the Optuna trial whose chain it follows from."""
WARM_FROM = "warm_from"
"""User attribute of a result of another sweep: the sweep and the trial's number there."""
MEASURED = (TrialState.COMPLETE, TrialState.PRUNED)


class TrialIndex:
    """Counts and lookups over a study's trials; about 2 kB a trial.

    The study enters trials in its order, and again whenever a trial begins or ends.

    Args:
        space: of the sweep.
        rungs: of the sweep.
        trials: all trials of the study.
        retried: Optuna numbers of failed trials that are to be run again.
    """

    def __init__(
        self, space: SearchSpace, rungs: Rungs, trials: Iterable[FrozenTrial], retried: Container[int] = ()
    ) -> None:
        self._space, self._rungs, self._retried = space, rungs, retried
        self.tries: dict[int, FrozenTrial] = {}
        """The latest try of every trial, by trial index."""
        self.lost: dict[int, FrozenTrial] = {}
        """Trials that must run again, by trial index."""
        self.running: dict[int, FrozenTrial] = {}
        self.observed = Observations()
        """All trials with a value, for the sampler: tries, derived observations and warm-start results."""
        self.prefixes = Prefixes(space)
        self.num_tried = 0
        self._values: dict[tuple[object, ...], list[float]] = {}
        self._means: dict[tuple[object, ...], float] = {}
        self._num_seeds: Counter[tuple[object, ...]] = Counter()
        self._known: set[tuple[object, ...]] = set()
        self._stopped: set[tuple[int, StageParams]] = set()
        for trial in trials:
            self.enter(trial)

    @property
    def num_sampled(self) -> int:
        """Number of trials sampled so far, including lost ones."""
        return 1 + max(self.tries, default=-1)

    def num_seeds(self, params: Hyperparameters) -> int:
        """Return the number of seeds with which a config was tried or runs now, without lost tries."""
        return self._num_seeds[params.effect]

    def is_best(self, params: Hyperparameters) -> bool:
        """Return True if no completed config has a higher mean over its seeds."""
        return params.effect in self._means and self._means[params.effect] >= max(self._means.values())

    def is_known(self, params: Hyperparameters) -> bool:
        """Return True if running a config would add no information.

        That is if its value follows from another trial of this sweep, if it failed, or if it, or a config
        that shares one of its stages, was stopped there. Results of other sweeps do not count.
        """
        if params.effect in self._known:
            return True
        steps = range(self._rungs.pass_step(params.passes) + 1)
        return any((step, self._rungs.stage_params(params, step)) in self._stopped for step in steps)

    def adds_information(self, params: Hyperparameters) -> bool:
        """Return True if the search should run a config, or run it again with another seed."""
        num_seeds = self.num_seeds(params)
        if not num_seeds:
            return not self.is_known(params)
        return num_seeds < self._space.search.max_seeds and self.is_best(params)

    def enter(self, trial: FrozenTrial) -> None:
        """Update the index with a trial that was read from the study, began or ended."""
        params, on_grid = params_of(self._space, trial), OFF_GRID not in trial.user_attrs
        index = trial.user_attrs.get(INDEX)
        if index is not None:
            self._count(self.tries.get(index), params, -1)
            self._count(trial, params, 1)
            self.tries[index] = trial
            _keep(self.lost, index, trial, holds=is_lost(trial, self._retried))
            _keep(self.running, index, trial, holds=trial.state is TrialState.RUNNING)
        if trial.state in MEASURED and on_grid:
            self.observed.add(trial)
        if trial.state is TrialState.COMPLETE and trial.value is not None:
            if on_grid:
                self.prefixes.add(params, trial.params, trial.value)
            if index is not None:
                values = self._values.setdefault(params.effect, [])
                values.append(trial.value)
                self._means[params.effect] = mean(values)
                self._known |= _equal_longer(params, len(trial.user_attrs[CHAIN]), self._space)
        if trial.state is TrialState.PRUNED:
            step = max(trial.intermediate_values)
            self._stopped.add((step, self._rungs.stage_params(params, step)))
        elif DERIVED_FROM in trial.user_attrs or (
            trial.state is TrialState.FAIL and not is_lost(trial, self._retried)
        ):
            self._known.add(params.effect)

    def _count(self, trial: FrozenTrial | None, params: Hyperparameters, number: int) -> None:
        if trial is not None and not is_lost(trial, self._retried):
            self._num_seeds[params.effect] += number
            self.num_tried += number * trial.state.is_finished()


def is_lost(trial: FrozenTrial, retried: Container[int]) -> bool:
    """Return True if a try ended without a result of its own, or its trial is to run again."""
    if trial.state is not TrialState.FAIL:
        return False
    return FAILURE not in trial.user_attrs or trial.number in retried


def _equal_longer(params: Hyperparameters, num_measured: int, space: SearchSpace) -> set[tuple[object, ...]]:
    """Return the configs with more passes that would train the same chain, as the stop rule ended it."""
    if num_measured > params.passes:
        return set()
    more = range(params.passes + 1, space.search.max_passes + 1)
    return {params.model_copy(update={"passes": passes}).effect for passes in more}


def _keep(trials: dict[int, FrozenTrial], index: int, trial: FrozenTrial, *, holds: bool) -> None:
    if holds:
        trials[index] = trial
    else:
        trials.pop(index, None)
