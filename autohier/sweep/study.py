"""The study: the one truth of a sweep. Ray only executes what it asks and tells it what came out.

Every setting of a sweep is an *ask*, numbered from 0; ``t0007`` is ask 7. What an ask draws depends on the
sweep's seed, its number and the results told so far, never on how often a driver was started: known settings
come first, then a sampler seeded by (seed, ask), which now and then keeps what pass 2 follows from of one of
the best settings. A finished setting that is drawn again is run with another seed; one whose value is
known without that (a shorter chain, or stopped where this one would be) is not run, another is drawn. A
trained chain of passes also tells of every shorter one, marked as derived. A trial that no living driver owns
is told FAIL without a reason, and its ask is asked again with the same parameters; so are settings whose
failures had one cause that is not theirs. No setting is lost and none counted twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.digest import derive_seed
from autohier.errors import FailureClass
from autohier.settings.choice import Choice
from autohier.settings.space import Setting
from autohier.settings.sweep import SamplerName, SweepPlan
from autohier.sweep.coding import decode, distributions, encode
from autohier.sweep.draws import Draws
from autohier.sweep.halving import Arm, open_ladder
from autohier.sweep.ledger import (
    ASK,
    CHAIN,
    DERIVED_FROM,
    FAILURE,
    MEASURED,
    SEED,
    SOURCE,
    WARM_FROM,
    Ledger,
)
from autohier.sweep.reuse import shorter_chains
from autohier.sweep.storage import written_at_once

_CHOICE, _FACTS, _REASON, _TAKEN_BACK = "choice", "facts", "reason", "taken_back"
_DRAWN, _KEPT = "drawn", "drawn, prefix kept"
_STARTUP_TRIALS = 10
"""Settings tried before the sampler learns from them; until then they are drawn at random."""
_MOST_DRAWS = 40
"""For one ask, the sampler's and random steps away from it, before one is taken that tells nothing new."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A setting that a trial is to run."""

    trial: optuna.Trial
    ask: int
    source: str
    setting: Setting

    @property
    def name(self) -> str:
        """How people and folders call it."""
        return trial_name(self.ask)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial has measured, be it stopped on the way."""

    chain: Sequence[float]
    """Validation accuracy of pass 2 and of the pruning passes."""
    rungs: Mapping[int, float]
    """What it reached at the steps of the sweep's ladder, in order."""


def trial_name(ask: int) -> str:
    """The name of an ask's trial, e.g. "t0007"."""
    return f"t{ask:04d}"


class SweepStudy:
    """Asks and tells the Optuna study of one sweep; one driver at a time owns it.

    Args:
        plan: of the sweep.
        storage: where the study lies; see sweep.storage.
    """

    def __init__(self, plan: SweepPlan, storage: BaseStorage) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._plan, self._storage = plan, storage
        # Trials are added whole, so that a driver may die at any moment; no sampler of the study's is asked.
        self._study = optuna.create_study(
            study_name=plan.study_name,
            storage=storage,
            direction="maximize",
            sampler=RandomSampler(seed=0),
            load_if_exists=True,
        )
        self._id = storage.get_study_id_from_name(plan.study_name)
        self._distributions = distributions(plan.space)
        self.ladder = open_ladder(plan.space, stopping=plan.stopping == "halving")
        self._ledger = self._read_ledger()

    def reconcile(self) -> int:
        """Give up the trials of drivers that are gone; how many settings are to be asked again.

        Call it while holding the sweep's lock: then no other driver can own a trial.
        """
        orphans = list(self._ledger.running.values())
        for orphan in orphans:
            self._study.tell(orphan.number, state=TrialState.FAIL)
        trials = self._trials()
        derived = {(trial.user_attrs.get(DERIVED_FROM), trial.params["passes"]) for trial in trials}
        for trial in trials:
            if trial.state in MEASURED and CHAIN in trial.user_attrs:
                self._derive(trial, told=derived)  # where a driver died before it did
        self._ledger = self._read_ledger()
        return len(self._ledger.lost)

    def ask(self) -> Asked | None:
        """The next setting to run; None where all that the sweep wants are asked."""
        ledger, known = self._ledger, self._plan.space.known
        if ledger.lost:
            lost = ledger.lost[min(ledger.lost)]
            return self._begin(min(ledger.lost), lost.params, lost.user_attrs[SOURCE], lost.user_attrs[SEED])
        ask = ledger.num_asks
        if ask >= self._plan.trials:
            return None
        params: Mapping[str, Any]
        if ask < len(known):
            params, source = encode(self._plan.space, known[ask].as_choice()), known[ask].source
        else:
            params, source = self._drawn(ask)
        num_seeds = ledger.num_seeds(decode(self._plan.space, params))
        # Drawn, as the next number is that of the next sweep, which people take for an independent one.
        seed = derive_seed(self._plan.seed, "run again", num_seeds) if num_seeds else self._plan.seed
        return self._begin(ask, params, source, seed)

    def tell_complete(self, asked: Asked, measured: Measured, facts: Mapping[str, Any]) -> None:
        """A trial went all its way; its value is the best of its chain.

        Args:
            asked: the setting it ran.
            measured: what it measured.
            facts: kept with the trial, under one name, as each name costs a write to the disk.
        """
        self._tell(asked, TrialState.COMPLETE, measured, {_FACTS: dict(facts)})

    def tell_stopped(self, asked: Asked, measured: Measured, reason: str) -> None:
        """A trial was stopped at a rung: what it reached there is its value; its setting counts as tried."""
        self._tell(asked, TrialState.PRUNED, measured, {_REASON: reason})

    def tell_failure(self, asked: Asked, reason: str, failure: FailureClass) -> None:
        """A trial failed by its own fault: its setting counts as tried, unless it is taken back."""
        self._tell(asked, TrialState.FAIL, Measured((), {}), {_REASON: reason, FAILURE: failure})

    def take_back(self, numbers: Iterable[int]) -> None:
        """Let the settings of some trials count as untried, so that they are asked again.

        What a trial was told cannot be changed, so that the study itself keeps the list.

        Args:
            numbers: of trials that were told as failed, or are about to be.
        """
        self._study.set_user_attr(_TAKEN_BACK, sorted(self._taken_back() | set(numbers)))
        self._ledger = self._read_ledger()

    def num_finished(self) -> int:
        """Settings tried: complete, stopped or failed by their own fault."""
        return self._ledger.num_tried

    def num_asks(self) -> int:
        """Settings asked so far, finished or not."""
        return self._ledger.num_asks

    def setting(self, number: int) -> Setting:
        """What the trial of that number in the study ran."""
        trial = self._trials()[number]
        return self._plan.space.setting(self._choice(trial), seed=trial.user_attrs[SEED])

    def reached(self) -> dict[tuple[int, Arm], float]:
        """What settings of the sweep's own seed reached at the rungs, by step and arm; see sweep.halving."""
        return {
            (step, self.ladder.arm(self._choice(trial), step)): value
            for trial in self._ledger.tries.values()
            if trial.user_attrs[SEED] == self._plan.seed and trial.state in MEASURED
            for step, value in trial.intermediate_values.items()
        }

    def warm(self, results: Sequence[FrozenTrial]) -> None:
        """Tell what another sweep found; a result that is told already is left out."""
        told = {trial.user_attrs.get(WARM_FROM) for trial in self._trials()}
        for result in results:
            if result.user_attrs[WARM_FROM] not in told:
                self._add(result)

    def _read_ledger(self) -> Ledger:
        # In the order in which they were told, as the driver entered them that told them.
        trials = sorted(self._trials(), key=_told_at)
        return Ledger(self._plan.space, self.ladder, trials, self._taken_back())

    def _taken_back(self) -> frozenset[int]:
        return frozenset(self._study.user_attrs.get(_TAKEN_BACK, ()))

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _choice(self, trial: FrozenTrial) -> Choice:
        return decode(self._plan.space, trial.params)

    def _drawn(self, ask: int) -> tuple[Mapping[str, Any], str]:
        space, seed, ledger = self._plan.space, self._plan.seed, self._ledger
        starting = ledger.num_tried < max(_STARTUP_TRIALS, len(space.known))
        prefixes = [] if starting else ledger.prefixes.best()
        draws = Draws(space, () if starting else ledger.observed, ledger.running.values())
        random = np.random.default_rng(derive_seed(seed, "prefix", ask))
        keeps = bool(prefixes) and random.random() < space.search.keep_prefix
        fixed = prefixes[random.integers(len(prefixes))] if keeps else {}
        sampler: SamplerName = "random" if starting else self._plan.sampler
        params = draws.draw(sampler, derive_seed(seed, "ask", ask, 0), fixed)
        for step in range(1, _MOST_DRAWS):
            if self._is_worth_running(decode(space, params)):
                break
            keeps = keeps and step < _MOST_DRAWS // 2  # all that shares a prefix may be known
            params = draws.vary(params, derive_seed(seed, "ask", ask, step), fixed if keeps else {})
        return params, _KEPT if keeps else _DRAWN

    def _is_worth_running(self, choice: Choice) -> bool:
        ledger = self._ledger
        num_seeds = ledger.num_seeds(choice)
        if not num_seeds:
            return not ledger.is_known(choice)
        return num_seeds < self._plan.space.search.max_seeds and ledger.is_best(choice)

    def _begin(self, ask: int, params: Mapping[str, Any], source: str, seed: int) -> Asked:
        choice = decode(self._plan.space, params)
        told = choice.model_dump(mode="json", exclude_defaults=True)
        attrs = {ASK: ask, SOURCE: source, SEED: seed, _CHOICE: told}
        trial_id = self._add(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=self._distributions,
                user_attrs=attrs,
            )
        )
        setting = self._plan.space.setting(choice, seed=seed)
        return Asked(optuna.Trial(self._study, trial_id), ask, source, setting)

    def _tell(self, asked: Asked, state: TrialState, measured: Measured, facts: Mapping[str, Any]) -> None:
        """All that is known of a trial is written before its state: what is half told is asked again."""
        trial = asked.trial
        with written_at_once(self._storage):
            for step, value in measured.rungs.items():
                trial.report(value, step)
            for name, fact in {CHAIN: list(measured.chain), **facts}.items():
                trial.set_user_attr(name, fact)
            best = max(measured.chain) if state is TrialState.COMPLETE else None
            ended = self._study.tell(trial, best, state)
            self._ledger.enter(ended)
            if state in MEASURED:
                self._derive(ended)

    def _derive(self, trial: FrozenTrial, told: Container[tuple[int | None, int]] = ()) -> None:
        """Tell what a trained chain says of shorter ones."""
        for cap, value in shorter_chains(trial):
            if (trial.number, cap) not in told:
                shorter = create_trial(
                    value=value,
                    params={**trial.params, "passes": cap},
                    distributions=self._distributions,
                    user_attrs={DERIVED_FROM: trial.number},
                )
                self._add(shorter)

    def _add(self, trial: FrozenTrial) -> int:
        """Put a whole trial into the study and the ledger; its id in the storage."""
        trial_id = self._storage.create_new_trial(self._id, template_trial=trial)
        trial.number = self._storage.get_trial_number_from_id(trial_id)
        self._ledger.enter(trial)
        return trial_id


def _told_at(trial: FrozenTrial) -> float:
    return trial.datetime_complete.timestamp() if trial.datetime_complete else float("inf")
