"""Confirmation of a search: its best trials again with fresh seeds, against a control, as runs to do.

The runs follow from the records alone. First the nominees run: the trials with the highest estimates, and
the first initial config. When they have ended and one has won, its controls run with the same seeds:
*control* has as many passes and prunes nothing; *flat* has no superclasses either. Every run trains a fixed
number of passes and is worth the last one, so that nothing is chosen by the numbers that are reported.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import numpy as np

from autohier.config.sweep import DecisionRule, SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS, Hyperparameters
from autohier.core.recipes.chain import pass_1_epochs, stage_epochs
from autohier.digest import derive_seed
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.sweep.choice.estimates import Choice

NOMINEE, CONTROL, FLAT = "nominee", "control", "flat"
_SOURCES = {
    NOMINEE: "confirmation of {}",
    CONTROL: "control of {}: nothing pruned",
    FLAT: "flat control of {}: no superclasses, nothing pruned",
}
_SAMPLED = "sampled"
"""Start of the source of every config that is not an initial one."""
_SHARE_OF_SEARCH = 0.25
"""Share of the search's epochs that an automatic confirmation may train at most."""
_MIN_GAIN = 0.001
"""Expected gain, as a share of the clips, below which an automatic confirmation is not worth its epochs."""
_SIZES = tuple((number, seeds) for number in (2, 3, 4) for seeds in (1, 2, 3))
_NUM_DRAWS = 4096
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Run:
    """One training of a confirmation."""

    params: Hyperparameters
    seed: int
    role: str
    """NOMINEE, CONTROL or FLAT."""
    confirms: str
    """Name of the trial that it repeats, or is the control of."""

    @property
    def source(self) -> str:
        """Source of its config, as it stands in the records."""
        return _SOURCES[self.role].format(self.confirms)


def kept_params(row: TrialRow) -> Hyperparameters:
    """Return the hyperparameters that train a complete trial up to the pass that it kept."""
    return params_of(row).model_copy(update={"passes": row.kept_pass or 0})


def nominee_runs(records: Records, plan: SweepPlan, choice: Choice) -> list[Run]:
    """Return the runs of the nominees, seed by seed; none if there is nothing to confirm.

    Args:
        records: of the sweep, with the estimates of its search.
        plan: its ``confirm`` counts.
        choice: of the complete trials' kept passes.
    """
    number, num_seeds = _size(records, plan, choice)
    chosen = _nominees(records, number) if num_seeds else []
    if len(chosen) < 2:
        return []
    return [
        Run(kept_params(row), seed, NOMINEE, row.trial)
        for seed in fresh_seeds(plan, num_seeds)
        for row in chosen
    ]


def control_runs(records: Records) -> list[Run]:
    """Return the runs of the controls of the trial that won the confirmation; none before it is decided."""
    winner = next((row for row in records.trials if row.trial == records.confirmed), None)
    if winner is None:
        return []
    own = kept_params(winner).effect
    seeds = dict.fromkeys(row.seed for row in confirmations(records) if params_of(row).effect == own)
    return [
        Run(params, seed, role, winner.trial)
        for seed in seeds
        for role, params in controls(kept_params(winner)).items()
    ]


def fresh_seeds(plan: SweepPlan, number: int) -> list[int]:
    """Return the first seeds of a sweep's confirmation."""
    return [derive_seed(plan.seed, "confirm", index) for index in range(number)]


def confirmations(records: Records) -> Iterator[TrialRow]:
    """Yield the rows of a sweep's confirmation."""
    return (row for row in records.trials if row.role != "search")


def fresh_values(records: Records, runs: Sequence[Run]) -> Mapping[str, float] | None:
    """Return the mean value of every nominee over its fresh seeds, by the name of its trial.

    A nominee with a failed run has none.

    Args:
        records: of the sweep.
        runs: from `nominee_runs`.

    Returns:
        None until all runs have ended.
    """
    ended = {
        (params_of(row).effect, row.seed): row
        for row in confirmations(records)
        if row.state in {"COMPLETE", "PRUNED", "FAIL"}
    }
    if not all((run.params.effect, run.seed) in ended for run in runs):
        return None
    values: dict[str, list[float | None]] = {}
    for run in runs:
        row = ended[run.params.effect, run.seed]
        values.setdefault(run.confirms, []).append(row.value if row.state == "COMPLETE" else None)
    whole = {name: [each for each in own if each is not None] for name, own in values.items()}
    return {name: mean(own) for name, own in whole.items() if own and len(own) == len(values[name])}


def controls(params: Hyperparameters) -> dict[str, Hyperparameters]:
    """Return the controls of a config by role; one that prunes nothing has no CONTROL but itself."""
    unpruned = params.model_copy(update={"ratio": 0.0})
    flat = unpruned.model_copy(update={"superclasses": (), "weight_ratio": 1.0})
    own = {CONTROL: unpruned} if params.passes and params.ratio else {}
    return {**own, FLAT: flat}


def first_initial(records: Records) -> TrialRow | None:
    """Return the complete trial of the first initial config; None if there is none."""
    rows = (row for row in records.trials if row.trial_index == 0 and row.state == "COMPLETE")
    return next((row for row in rows if not row.source.startswith(_SAMPLED)), None)


def _nominees(records: Records, number: int) -> list[TrialRow]:
    """Return the best trials of the search that train different networks, and the first initial config."""
    search = replace(records, confirmed=None, preferred=None)
    by_effect: dict[tuple[object, ...], TrialRow] = {}
    for row in search.ranked():
        by_effect.setdefault(kept_params(row).effect, row)
    best = list(by_effect.values())[:number]
    first = first_initial(records)
    # Another trial may stand for the network that it kept; one over the bound has no place.
    own = by_effect.get(kept_params(first).effect) if first else None
    return best if own is None or own in best else [*best, own]


def _size(records: Records, plan: SweepPlan, choice: Choice) -> tuple[int, int]:
    """Return the number of nominees, without the first initial config, and of seeds."""
    if plan.confirm == "none" or not choice.candidates:
        return 0, 0
    if plan.confirm != "auto":
        number, _, num_seeds = plan.confirm.partition("x")
        return int(number), int(num_seeds)
    searched = _search_epochs(records)
    left = (plan.budget_epochs or math.inf) - _trained_epochs(records, plan)
    budget = min(_SHARE_OF_SEARCH * searched, left)
    gains = {
        size: expected_gain(choice, *size, plan.decide)
        for size in _SIZES
        if _epochs(_nominees(records, size[0]), plan, size[1]) <= budget
    }
    best = max(gains, key=lambda size: (round(gains[size], 5), -size[0] * size[1]), default=(0, 0))
    return best if gains.get(best, 0.0) >= _MIN_GAIN else (0, 0)


def expected_gain(choice: Choice, number: int, num_seeds: int, decide: DecisionRule = "pooled") -> float:
    """Return how much more accurate the winner of a confirmation is than the first candidate, on average.

    Args:
        choice: of the search.
        number: number of nominees, the candidates with the highest estimates.
        num_seeds: number of fresh seeds of each.
        decide: rule by which the confirmation is won.
    """
    number = min(number, len(choice.candidates), len(choice.covariance))
    if number < 2:
        return 0.0
    means = np.array([each.estimate for each in choice.candidates[:number]])
    covariance = np.array([row[:number] for row in choice.covariance[:number]])
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((2, _NUM_DRAWS, number))
    true = means + normal[0] @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    variance = choice.run_sd**2 / num_seeds
    decisive = true + normal[1] * variance**0.5
    if decide == "pooled":
        total = covariance + (variance + _ROUNDING) * np.eye(number)
        decisive = means + (decisive - means) @ np.linalg.solve(total, covariance)
    won = true[np.arange(_NUM_DRAWS), decisive.argmax(axis=1)]
    return float((won - true[:, 0]).mean())


def _search_epochs(records: Records) -> int:
    """Return the epochs of the search: those of a stage once, also if another sweep trained it.

    So a confirmation does not depend on what the stage store held before, or on records besides these.
    """
    searched = {row.trial: row for row in records.trials if row.role == "search"}
    by_stage = {stage.key: stage.num_epochs for stage in records.stages if stage.trial in searched}
    finished = Counter[str]()
    for stage in records.stages:
        finished[stage.trial] += stage.num_epochs
    own = {name: (row.epochs_computed or 0) + (row.epochs_reused or 0) for name, row in searched.items()}
    return sum(by_stage.values()) + sum(max(0, number - finished[name]) for name, number in own.items())


def _trained_epochs(records: Records, plan: SweepPlan) -> int:
    """Return the epochs of the search that count for its budget."""
    own = sum(row.epochs_computed or 0 for row in records.trials if row.role == "search")
    if not plan.space.shares_pass_1:
        return own
    return own + plan.space.num_folds * pass_1_epochs(plan.space.config(FLAT_PARAMS, seed=plan.seed))


def _epochs(nominees: Sequence[TrialRow], plan: SweepPlan, num_seeds: int) -> int:
    """Return the epochs of a confirmation, with the controls of the longest nominee."""
    params = [kept_params(row) for row in nominees]
    if not params:
        return 0
    longest = max(params, key=lambda each: each.passes)
    trained: dict[tuple[object, ...], int] = {}
    for each in (*params, *controls(longest).values()):
        trained |= stage_epochs(plan.space.config(each, seed=plan.seed), each.passes)
    return num_seeds * plan.space.num_folds * sum(trained.values())
