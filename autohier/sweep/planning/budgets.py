"""The worth of a budget: how much better the config is that a search with twice the budget delivers.

A search with a smaller budget is the beginning of the one with the larger, so that one simulated sweep shows
both. Both choose by the model of `autohier.sweep.choice`, and the world knows what their choice is worth.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from autohier.config.scaling import Scaling
from autohier.config.sweep import UNLIMITED_TRIALS, SweepPlan
from autohier.core.pruning import StopRule
from autohier.sweep.choice.estimates import choose
from autohier.sweep.choice.measured import Measured, measured_by_trial, network_of
from autohier.sweep.planning.epoch_costs import Say
from autohier.sweep.planning.simulation.results import Costs, EndedTrial
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import NoisyWorld, surrogate_of
from autohier.sweep.scheduling.host import build_scheduler
from autohier.sweep.scheduling.rungs import open_rungs
from autohier.sweep.study.budget import budget_is_used_up
from autohier.text import plural

_NUM_WORLDS = 12
_FACTOR = 2


@dataclass(frozen=True, slots=True)
class BudgetGain:
    """Searches with a budget and with twice the budget, in the same worlds."""

    num_trials: tuple[int, ...]
    """Trials within the budget, in every world."""
    num_more: tuple[int, ...]
    """Further trials within twice the budget."""
    gains: tuple[float, ...]
    """True accuracy that twice the budget gains, in every world."""

    def text(self) -> str:
        """Return the gain in one sentence, with its 95% interval over worlds."""
        from scipy.stats import t  # noqa: PLC0415  takes a second to import

        number, centre = len(self.gains), 100 * mean(self.gains)
        half = 100 * float(t.ppf(0.975, number - 1)) * stdev(self.gains) / number**0.5
        interval = f"95% interval {centre - half:+.2f} to {centre + half:+.2f}"
        return (
            f"twice the budget: {mean(self.num_more):.0f} trials more than the {mean(self.num_trials):.0f} "
            f"of this one; the config that it delivers is truly better by {centre:+.2f} points ({interval}), "
            f"on average over {number} simulated sweeps without confirmation"
        )


def compare_budgets(
    plan: SweepPlan,
    num_validation_clips: int,
    costs: Costs,
    accelerators: int,
    say: Say,
    scaling: Scaling | None = None,
) -> BudgetGain:
    """Simulate sweeps with twice the budget of a plan, and compare what they deliver with their beginnings.

    Args:
        plan: of the sweep, with a budget.
        num_validation_clips: of its dataset.
        costs: seconds of epochs.
        accelerators: number of accelerators; each runs one trial at a time.
        say: called before the simulations.
        scaling: of data-parallel stages; None has a trial hold one accelerator.
    """
    say(f"simulating {plural(_NUM_WORLDS, 'sweep')} with twice the budget")
    larger = _enlarged(plan)
    numbers, more, gains = [], [], []
    for number in range(_NUM_WORLDS):
        seeded = larger.model_copy(update={"seed": plan.seed + number})
        surrogate = surrogate_of(plan.space, num_validation_clips, seeded.seed)
        trials = simulate(seeded, surrogate, costs, parallel=accelerators, scaling=scaling).trials
        begun = trials[: _num_within(plan, trials, accelerators)]
        numbers.append(len(begun))
        more.append(len(trials) - len(begun))
        before, after = (_delivered(plan, each, surrogate) for each in (begun, trials))
        gains.append(after - before)
    return BudgetGain(tuple(numbers), tuple(more), tuple(gains))


def _enlarged(plan: SweepPlan) -> SweepPlan:
    changes: Mapping[str, object] = {
        "trials": min(_FACTOR * plan.trials, UNLIMITED_TRIALS),
        "budget_epochs": plan.budget_epochs and _FACTOR * plan.budget_epochs,
        "budget_hours": plan.budget_hours and _FACTOR * plan.budget_hours,
    }
    return plan.model_copy(update=changes)


def _num_within(plan: SweepPlan, trials: Sequence[EndedTrial], accelerators: int) -> int:
    """Return how many trials a search runs, with those that still run when its budget is used up."""
    numbers = range(1, len(trials))
    until_used_up = 1 + bisect_left(
        numbers, True, key=lambda number: budget_is_used_up(plan, (each.effort for each in trials[:number]))
    )
    return min(until_used_up + accelerators - 1, plan.trials, len(trials))


def _delivered(plan: SweepPlan, trials: Sequence[EndedTrial], surrogate: NoisyWorld) -> float:
    """Return the true accuracy of the network that a sweep chooses; of pass 1 if no trial is complete."""
    rule = StopRule(ties=plan.space.pruning.ties)
    kept = frozenset(
        network_of(trial.config.params, rule.best_pass(trial.chain)) for trial in trials if trial.is_complete
    )
    num_clips = surrogate.world.regime.num_validation_clips
    candidates = choose(_measured_in(plan, trials), num_clips, among=kept).candidates if kept else ()
    if not candidates:
        return surrogate.world.accuracy(trials[0].config.params, None)
    return surrogate.world.accuracy(candidates[0].params, candidates[0].pass_index)


def _measured_in(plan: SweepPlan, trials: Sequence[EndedTrial]) -> list[Measured]:
    rungs = open_rungs(plan.space)
    epochs = rungs.epochs if build_scheduler(plan.scheduler, rungs).stops_trials else ()
    return [
        measured
        for number, trial in enumerate(trials)
        for measured in measured_by_trial(
            f"t{number:04d}",
            trial.config.params,
            trial.config.seed,
            trial.chain,
            {epoch: trial.curve[epoch - 1] for epoch in epochs if len(trial.curve) >= epoch},
        )
    ]
