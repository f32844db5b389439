"""What a driver remembers of a study's trials, so that an ask does not cost more the longer a sweep is.

A trial of the study is one of three: a *try* of an ask, what a longer chain told of a shorter one (derived),
or a result of another sweep (warm). The latest try of an ask is what counts of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from statistics import mean

from optuna.trial import FrozenTrial, TrialState

from autohier.settings.choice import Choice
from autohier.settings.space import Space
from autohier.sweep.coding import decode
from autohier.sweep.draws import Observations
from autohier.sweep.halving import Arm, Ladder
from autohier.sweep.reuse import Prefixes

ASK, SEED, SOURCE, CHAIN, FAILURE = "ask", "seed", "source", "chain", "failure"
"""What the study keeps with a try: its number in the sweep, its seed, who proposed it, the accuracies of its
passes, and the class of its failure, which only a try has that failed by its own fault."""
DERIVED_FROM = "derived_from"
"""Marks, with the number of a trained trial, what was not trained for itself."""
WARM_FROM = "warm_from"
"""Marks, with its sweep and number, a result of another sweep."""
MEASURED = (TrialState.COMPLETE, TrialState.PRUNED)


class Ledger:
    """Entered in the order of the study, and whenever a trial begins or ends; about 2 kB a trial.

    Args:
        space: of the sweep.
        ladder: its rungs.
        trials: those that the study holds.
        taken_back: numbers of failed trials whose settings are to be asked again.
    """

    def __init__(
        self, space: Space, ladder: Ladder, trials: Iterable[FrozenTrial], taken_back: Container[int] = ()
    ) -> None:
        self._space, self._ladder, self._taken_back = space, ladder, taken_back
        self.tries: dict[int, FrozenTrial] = {}
        """The latest try of every ask."""
        self.lost: dict[int, FrozenTrial] = {}
        """Asks whose latest try was given up."""
        self.running: dict[int, FrozenTrial] = {}
        self.observed = Observations()
        """Of all that has a value, tries or not, what a sampler learns from."""
        self.prefixes = Prefixes(space)
        self.num_tried = 0
        self._values: dict[tuple[object, ...], list[float]] = {}
        self._means: dict[tuple[object, ...], float] = {}
        self._num_seeds: Counter[tuple[object, ...]] = Counter()
        self._known: set[tuple[object, ...]] = set()
        self._stopped: set[tuple[int, Arm]] = set()
        for trial in trials:
            self.enter(trial)

    @property
    def num_asks(self) -> int:
        """Asks so far, those that were given up included."""
        return 1 + max(self.tries, default=-1)

    def num_seeds(self, choice: Choice) -> int:
        """How often a choice was tried or is run now, each time with another seed; lost tries left out."""
        return self._num_seeds[choice.effect]

    def is_best(self, choice: Choice) -> bool:
        """Whether no choice that was run to its end has a higher mean over its seeds than this one."""
        return choice.effect in self._means and self._means[choice.effect] >= max(self._means.values())

    def is_known(self, choice: Choice) -> bool:
        """Whether to run a choice would tell nothing to this sweep; what another one found, it has not run.

        Its value is known without a trial of its own, it failed, or it was stopped, or another setting was at
        a stage that the two share.
        """
        if choice.effect in self._known:
            return True
        steps = range(self._ladder.pass_step(choice.passes) + 1)
        return any((step, self._ladder.arm(choice, step)) in self._stopped for step in steps)

    def enter(self, trial: FrozenTrial) -> None:
        """A trial was found in the study, began or ended."""
        choice = decode(self._space, trial.params)
        ask = trial.user_attrs.get(ASK)
        if ask is not None:
            self._count(self.tries.get(ask), choice, -1)
            self._count(trial, choice, 1)
            self.tries[ask] = trial
            _keep(self.lost, ask, trial, holds=self._is_lost(trial))
            _keep(self.running, ask, trial, holds=trial.state is TrialState.RUNNING)
        if trial.state in MEASURED:
            self.observed.add(trial)
        if trial.state is TrialState.COMPLETE and trial.value is not None:
            self.prefixes.add(choice, trial.params, trial.value)
            if ask is not None:
                values = self._values.setdefault(choice.effect, [])
                values.append(trial.value)
                self._means[choice.effect] = mean(values)
                self._known |= _as_long(choice, len(trial.user_attrs[CHAIN]), self._space.search.max_passes)
        if trial.state is TrialState.PRUNED:
            step = max(trial.intermediate_values)
            self._stopped.add((step, self._ladder.arm(choice, step)))
        elif DERIVED_FROM in trial.user_attrs or (
            trial.state is TrialState.FAIL and not self._is_lost(trial)
        ):
            self._known.add(choice.effect)

    def _is_lost(self, trial: FrozenTrial) -> bool:
        if trial.state is not TrialState.FAIL:
            return False
        return FAILURE not in trial.user_attrs or trial.number in self._taken_back

    def _count(self, trial: FrozenTrial | None, choice: Choice, number: int) -> None:
        if trial is not None and not self._is_lost(trial):
            self._num_seeds[choice.effect] += number
            self.num_tried += number * trial.state.is_finished()


def _as_long(choice: Choice, num_measured: int, max_passes: int) -> set[tuple[object, ...]]:
    """What more passes would do to a chain that the stop rule ended: nothing."""
    if num_measured > choice.passes:
        return set()
    more = range(choice.passes + 1, max_passes + 1)
    return {choice.model_copy(update={"passes": passes}).effect for passes in more}


def _keep(trials: dict[int, FrozenTrial], ask: int, trial: FrozenTrial, *, holds: bool) -> None:
    if holds:
        trials[ask] = trial
    else:
        trials.pop(ask, None)
