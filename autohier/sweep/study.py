"""The study: the one truth of a sweep. Ray only executes what it asks and tells it what came out.

Every setting of a sweep is an *ask*, numbered from 0; ``t0007`` is ask 7. What an ask draws depends on the
sweep's seed, its number and the results told so far, never on how often a driver was started: known settings
come first, then a sampler seeded by (seed, ask), which now and then keeps the superclasses and weights of one
of the best settings. A trained chain of passes also tells of every shorter one, marked as derived. A trial
that no living driver owns is told FAIL without a reason, and its ask is asked again with the same parameters,
as are those whose failures had one cause that is not theirs; so no setting is lost and none counted twice.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from autohier.digest import derive_seed
from autohier.errors import FailureClass, InputError
from autohier.settings.space import Setting
from autohier.settings.sweep import SamplerName, SweepPlan
from autohier.sweep.coding import decode, distributions, encode
from autohier.sweep.folder import SweepFolder
from autohier.sweep.reuse import DERIVED_FROM, best_prefixes, shorter_chains

_ASK, _SOURCE, _REASON, _CHOICE = "ask", "source", "reason", "choice"
_FAILURE, _TAKEN_BACK = "failure", "taken_back"
_KEPT = "drawn, prefix kept"
_STARTUP_TRIALS = 10
"""Settings tried before the sampler learns from them; until then they are drawn at random."""


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


def trial_name(ask: int) -> str:
    """The name of an ask's trial, e.g. "t0007"."""
    return f"t{ask:04d}"


class SweepStudy:
    """Asks and tells the Optuna study of one sweep; one driver at a time owns it."""

    def __init__(self, plan: SweepPlan, folder: SweepFolder) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._plan = plan
        self._study = optuna.create_study(
            study_name=plan.study_name,
            storage=_open_storage(plan, folder),
            direction="maximize",
            load_if_exists=True,
        )

    def reconcile(self) -> int:
        """Give up the trials of drivers that are gone; how many settings are to be asked again.

        Call it while holding the sweep's lock: then no other driver can own a trial.
        """
        for _ in self._trials(TrialState.WAITING):
            self._study.ask()  # only a trial that began can be told
        orphans = self._trials(TrialState.RUNNING)
        for orphan in orphans:
            self._study.tell(orphan.number, state=TrialState.FAIL)
        self._derive()
        return len(_lost_asks(self._trials(), self._taken_back()))

    def ask(self) -> Asked | None:
        """The next setting to run; None where all that the sweep wants are asked."""
        trials = self._trials()
        lost = _lost_asks(trials, self._taken_back())
        ask = min(lost) if lost else self._num_asks(trials)
        if ask >= self._plan.trials:
            return None
        if lost:
            trial = self._enqueued(lost[ask].params, ask, lost[ask].user_attrs[_SOURCE])
        elif ask < len(self._plan.space.known):
            known = self._plan.space.known[ask]
            trial = self._enqueued(encode(self._plan.space, known.as_choice()), ask, known.source)
        else:
            trial = self._drawn(ask, trials)
        choice = decode(self._plan.space, trial.params)
        trial.set_user_attr(_CHOICE, choice.model_dump(mode="json"))
        setting = self._plan.space.setting(choice, seed=self._plan.seed)
        return Asked(trial, ask, trial.user_attrs[_SOURCE], setting)

    def tell_accuracy(self, asked: Asked, chain: Sequence[float], facts: Mapping[str, Any]) -> None:
        """A trial went all its way.

        Args:
            asked: the setting it ran.
            chain: validation accuracy of pass 2 and of every pruning pass; the best is the trial's value.
            facts: kept with the trial.
        """
        for pass_index, accuracy in enumerate(chain):
            asked.trial.report(accuracy, step=pass_index)
        self._keep(asked, facts)
        self._study.tell(asked.trial, max(chain))
        self._derive()

    def tell_failure(self, asked: Asked, reason: str, failure: FailureClass) -> None:
        """A trial failed by its own fault: its setting counts as tried, unless it is taken back."""
        self._keep(asked, {_REASON: reason, _FAILURE: failure})
        self._study.tell(asked.trial, state=TrialState.FAIL)

    def take_back(self, numbers: Iterable[int]) -> None:
        """Let the settings of some trials count as untried, so that they are asked again.

        What a trial was told cannot be changed, so that the study itself keeps the list.

        Args:
            numbers: of trials that were told as failed, or are about to be.
        """
        self._study.set_user_attr(_TAKEN_BACK, sorted(self._taken_back() | set(numbers)))

    def num_finished(self) -> int:
        """Settings tried: complete, stopped or failed by their own fault."""
        taken_back = self._taken_back()
        return len({t.user_attrs[_ASK] for t in self._trials() if _is_tried(t, taken_back)})

    def setting(self, number: int) -> Setting:
        """What the trial of that number in the study ran."""
        choice = decode(self._plan.space, self._trials()[number].params)
        return self._plan.space.setting(choice, seed=self._plan.seed)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    def _taken_back(self) -> frozenset[int]:
        return frozenset(self._study.user_attrs.get(_TAKEN_BACK, ()))

    def _num_asks(self, trials: Sequence[FrozenTrial]) -> int:
        return 1 + max((trial.user_attrs[_ASK] for trial in trials if _was_handed_out(trial)), default=-1)

    def _enqueued(self, params: Mapping[str, Any], ask: int, source: str) -> optuna.Trial:
        self._study.enqueue_trial(dict(params), user_attrs={_ASK: ask, _SOURCE: source})
        return self._study.ask(distributions(self._plan.space))

    def _drawn(self, ask: int, trials: Sequence[FrozenTrial]) -> optuna.Trial:
        space, seed = self._plan.space, self._plan.seed
        taken_back = self._taken_back()
        num_tried = sum(_is_tried(trial, taken_back) for trial in trials)
        starting = num_tried < max(_STARTUP_TRIALS, len(space.known))
        self._study.sampler = _sampler(
            "random" if starting else self._plan.sampler, derive_seed(seed, "ask", ask)
        )
        random = np.random.default_rng(derive_seed(seed, "prefix", ask))
        prefixes = best_prefixes(space, trials)
        if not starting and prefixes and random.random() < space.search.keep_prefix:
            return self._enqueued(prefixes[random.integers(len(prefixes))], ask, _KEPT)
        trial = self._study.ask(distributions(space))
        trial.set_user_attr(_SOURCE, "drawn")
        trial.set_user_attr(_ASK, ask)
        return trial

    def _derive(self) -> None:
        """Tell what trained chains say of shorter ones, where a driver died before it did."""
        trials = self._trials(TrialState.COMPLETE)
        known = {(trial.user_attrs.get(DERIVED_FROM), trial.params["passes"]) for trial in trials}
        for trial in trials:
            if _ASK in trial.user_attrs:
                shorter = shorter_chains(trial)
                self._study.add_trials(
                    [t for t in shorter if (trial.number, t.params["passes"]) not in known]
                )

    def _keep(self, asked: Asked, facts: Mapping[str, Any]) -> None:
        for name, fact in facts.items():
            asked.trial.set_user_attr(name, fact)


def _was_handed_out(trial: FrozenTrial) -> bool:
    # A driver may have died after creating a trial and before it knew what to run.
    return _CHOICE in trial.user_attrs


def _is_tried(trial: FrozenTrial, taken_back: Collection[int]) -> bool:
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or _REASON in trial.user_attrs
    return ended and DERIVED_FROM not in trial.user_attrs and trial.number not in taken_back


def _lost_asks(trials: Sequence[FrozenTrial], taken_back: Collection[int]) -> dict[int, FrozenTrial]:
    """Asks that only have trials which were given up or taken back, each with the first of them."""
    asks: dict[int, list[FrozenTrial]] = {}
    for trial in trials:
        if _was_handed_out(trial):
            asks.setdefault(trial.user_attrs[_ASK], []).append(trial)
    return {
        ask: tries[0]
        for ask, tries in asks.items()
        if all(t.state is TrialState.FAIL and not _is_tried(t, taken_back) for t in tries)
    }


def _sampler(name: SamplerName, seed: int) -> BaseSampler:
    # Optuna's own start-up would count derived observations as trials, so it is left to the study.
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "gp":
        return GPSampler(seed=seed, n_startup_trials=1)
    return TPESampler(seed=seed, n_startup_trials=1)


def _open_storage(plan: SweepPlan, folder: SweepFolder) -> BaseStorage:
    if plan.storage is None:
        folder.path.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(folder.journal_file)))
    try:
        return RDBStorage(plan.storage)
    except Exception as error:  # every database driver raises errors of its own
        logging.getLogger(__name__).debug("opening the study failed", exc_info=True)
        raise InputError(
            "--storage must be an Optuna storage URL that can be opened",
            got=f"{type(error).__name__}: {error}",
            remedy="write e.g. sqlite:///study.db or postgresql://host/name, and install its driver",
        ) from error
