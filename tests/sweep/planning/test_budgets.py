"""The worth of twice the budget: its comparison and its text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autohier.sweep.planning import budgets
from autohier.sweep.planning.budgets import BudgetGain, compare_budgets
from autohier.sweep.planning.simulation.regimes import B
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import surrogate_of
from support.sweep_runs.plans import make_plan

COSTS = EpochCosts(1.0, 1.0, 1.0)


def test_a_gain_has_its_interval_over_worlds() -> None:
    # Mean and deviation are 1 point; Student's t with 2 degrees of freedom is 4.303; 4.303 / sqrt(3) = 2.48.
    text = BudgetGain((9, 10, 11), (8, 8, 8), (0.0, 0.01, 0.02)).text()
    assert "twice the budget: 8 trials more than the 10 of this one;" in text
    assert "by +1.00 points (95% interval -1.48 to +3.48), on average over 3 simulated sweeps" in text


@pytest.mark.parametrize("accelerators", [1, 3])
def test_the_smaller_search_is_the_beginning_of_the_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accelerators: int
) -> None:
    monkeypatch.setattr(budgets, "_NUM_WORLDS", 2)
    plan = make_plan(tmp_path, trials=40, budget_epochs=100, confirm="none", scheduler="none")
    found = compare_budgets(plan, 72, COSTS, accelerators, lambda _: None)
    for world, (number, more) in enumerate(zip(found.num_trials, found.num_more, strict=True)):
        own = plan.model_copy(update={"seed": world})
        twice = own.model_copy(update={"budget_epochs": 200, "trials": 80})
        smaller, larger = (
            simulate(each, surrogate_of(plan.space, 72, world), COSTS, parallel=accelerators)
            for each in (own, twice)
        )
        assert abs(number - smaller.num_trials) < accelerators
        assert number + more == larger.num_trials
        assert more > 0


def test_the_delivered_config_is_worth_its_true_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If all configs are equal, a larger budget buys nothing."""
    monkeypatch.setattr(budgets, "_NUM_WORLDS", 2)
    monkeypatch.setattr(budgets, "surrogate_of", _equal_configs)
    plan = make_plan(tmp_path, budget_epochs=60)
    assert compare_budgets(plan, 72, COSTS, 1, lambda _: None).gains == (0.0, 0.0)


def _equal_configs(space, num_validation_clips, seed):
    surrogate = surrogate_of(space, num_validation_clips, seed)
    return replace(surrogate, world=replace(surrogate.world, regime=replace(B, effect=0.0)))
