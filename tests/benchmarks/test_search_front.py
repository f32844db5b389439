"""The benchmark of Pareto fronts: the best accuracies by hand, and a run of two arms."""

from __future__ import annotations

from types import ModuleType

import pytest

from autohier.sweep.planning.simulation.regimes import B
from autohier.sweep.planning.simulation.world import World
from support.benchmark_modules import load_benchmark


@pytest.fixture(scope="module")
def front() -> ModuleType:
    return load_benchmark("search_front")


def test_the_best_accuracy_falls_with_the_budget(front: ModuleType) -> None:
    space = front.space_of("B", "none")
    world = World.draw(space, B, 3)
    best = front.best_accuracies(space, world)
    assert best == sorted(best, reverse=True)
    # No config that a search tries first is better than the best within its cost.
    for config in space.initial:
        params = config.as_params()
        for budget, highest in zip(front.BUDGETS, best, strict=True):
            if front.share_of_cost(params, params.passes) <= budget:
                assert world.accuracy(params, params.passes) <= highest


def test_a_pass_costs_the_square_of_the_filters_that_are_left(front: ModuleType) -> None:
    params = front.space_of("B", "none").initial[0].as_params().model_copy(update={"ratio": 0.1})
    assert [front.share_of_cost(params, passes) for passes in range(3)] == pytest.approx([1, 0.81, 0.6561])


def test_arms_are_compared_in_the_same_world(front: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    arms = ("one, halving", "two, halving")
    front.main(["--worlds", "2", "--trials", "12", "--regimes", "B", "--processes", "1", "--arms", *arms])
    title, header, _, one, two = capsys.readouterr().out.splitlines()
    assert title.startswith("regime B, 2 worlds, 12 trials")
    assert header.startswith("| search | epochs | regret |")
    assert one.startswith("| one, halving | ")
    assert two.startswith("| two, halving | ")
    assert " ± " in two
    assert " ± " not in one
