"""Quality of a Pareto front: what a sweep's networks are truly worth at every cost, and what they took.

Sweeps are simulated in worlds whose true accuracies are known, as in `search_quality.py`. The cost of a
network falls with the square of the filters that are left. At each budget, from the cost of the unpruned
network down to a quarter of it, a sweep delivers the network with the highest estimate that is cheap enough.
Its *regret* is the true accuracy that it lacks to the best network of the search space within the budget, at
most 10 points, which also counts if there is no such network.

    one   a search for accuracy; its front is what ``autohier status --front`` prints
    two   the same with ``--objectives accuracy,multiply-adds``

    python benchmarks/search_front.py --worlds 24
    python benchmarks/search_front.py --worlds 48 --held-out
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from multiprocessing import Pool
from statistics import mean, stdev

from search_quality import FIRST_HELD_OUT
from search_quality_choice import measured_in

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.choice.estimates import choose
from autohier.sweep.planning.simulation.regimes import REGIMES
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.searchers import DENSE_COST, simulated_cost
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import NoisyWorld
from autohier.sweep.planning.simulation.world import World

SPACES = {"B": "demo", "N": "ntu60"}
BUDGETS = tuple(2 ** (-step / 4) for step in range(9))
"""Costs against that of the unpruned network."""
MOST = 0.10
_SHOWN = (0, 4, 8)
"""Budgets that have a column of their own: all, half and a quarter of the cost."""
_ROUNDING = 1.005


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to search."""

    second: str
    """`search.second_objective`."""
    scheduler: str
    sampler: str = "tpe"


ARMS = {
    "one, halving": Arm("none", "successive-halving"),
    "two, halving": Arm("multiply-adds", "successive-halving"),
    "one, none": Arm("none", "none"),
    "two, none": Arm("multiply-adds", "none"),
    "two, halving, random": Arm("multiply-adds", "successive-halving", "random"),
}


@dataclass(frozen=True, slots=True)
class Front:
    """Networks that one sweep delivers, by their regret."""

    arm: str
    world: int
    epochs: int
    regrets: tuple[float, ...]
    """At every budget."""


@cache
def space_of(regime: str, second: str) -> SearchSpace:
    """Return the search space of a regime."""
    return load_space(SPACES[regime], ["protocol.validation=clean", f"search.second_objective={second}"])


def run(task: tuple[str, str, int, int]) -> Front:
    """Simulate one sweep.

    Args:
        task: regime, arm, seed of the world, and number of trials.
    """
    regime, name, seed, trials = task
    arm = ARMS[name]
    space = space_of(regime, arm.second)
    world = World.draw(space, REGIMES[regime], seed)
    plan = SweepPlan(
        name="front", study_name="front", space=space, trials=trials, sampler=arm.sampler,
        scheduler=arm.scheduler, data_folder="", stage_folder="", seed=seed % 2**31,
    )  # fmt: skip
    sweep = simulate(plan, NoisyWorld(world), EpochCosts(1, 1, 1), parallel=2)
    candidates = choose(measured_in(sweep.trials, space), world.regime.num_validation_clips).candidates
    measured = [
        (each.estimate, share_of_cost(each.params, each.pass_index), (each.params, each.pass_index))
        for each in candidates
    ]
    regrets = []
    for budget, best in zip(BUDGETS, best_accuracies(space, world), strict=True):
        within = [(estimate, network) for estimate, cost, network in measured if cost <= budget * _ROUNDING]
        chosen = max(within, key=lambda pair: pair[0], default=None)
        regrets.append(MOST if chosen is None else min(MOST, best - world.accuracy(*chosen[1])))
    return Front(name, seed, sweep.epochs, tuple(regrets))


def share_of_cost(params: Hyperparameters, pass_index: int) -> float:
    """Return the cost of a network against that of the unpruned one."""
    return simulated_cost(params, pass_index) / DENSE_COST


def best_accuracies(space: SearchSpace, world: World) -> list[float]:
    """Return the highest true accuracy in a search space within every budget.

    Weights, counts and pruning add up in the logit of a world's accuracy, so that each is optimized alone.
    """
    search = space.search

    def network(**changes: object) -> Hyperparameters:
        flat = {"superclasses": (), "weight_ratio": 1.0, "scope": "layerwise", "ratio": 0.0, "passes": 0}
        return Hyperparameters(**{**flat, **changes})

    weights = max(search.weight_ratios, key=lambda ratio: world.logit(network(weight_ratio=ratio), 0))
    counts = max(
        combinations(space.allowed_counts, search.levels),
        key=lambda each: world.logit(network(superclasses=each), 0),
    )
    pruned = [
        (network(superclasses=counts, weight_ratio=weights, scope=scope, ratio=ratio, passes=passes), passes)
        for scope, ratio, passes in product(search.scopes, search.ratios, range(search.max_passes + 1))
    ]
    return [
        max(world.accuracy(*each) for each in pruned if share_of_cost(*each) <= budget * _ROUNDING)
        for budget in BUDGETS
    ]


def table(fronts: Sequence[Front]) -> Iterator[str]:
    """Yield a Markdown table; differences are paired with the first arm of the same world."""
    yield "| search | epochs | regret | against one, halving | full cost | half | a quarter |"
    yield "|---|---|---|---|---|---|---|"
    reference = {each.world: each for each in fronts if each.arm == next(iter(ARMS))}
    for arm in ARMS:
        own = [each for each in fronts if each.arm == arm]
        if not own:
            continue
        lacks = [mean(each.regrets) - mean(reference[each.world].regrets) for each in own]
        at = [mean(each.regrets[index] for each in own) for index in _SHOWN]
        yield (
            f"| {arm} | {mean(each.epochs for each in own):,.0f} | "
            f"{100 * mean(mean(each.regrets) for each in own):.2f} | {_interval(lacks)} | "
            f"{' | '.join(f'{100 * each:.2f}' for each in at)} |"
        )


def _interval(values: Sequence[float]) -> str:
    if len(values) < 2 or not any(values):
        return ""
    half = 1.96 * stdev(values) / len(values) ** 0.5
    return f"{100 * mean(values):+.2f} ± {100 * half:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--regimes", nargs="+", default=["B", "N"], choices=SPACES)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--held-out", action="store_true", help="worlds that nothing was tuned on")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args(arguments)
    first = FIRST_HELD_OUT if given.held_out else 0
    for regime in given.regimes:
        seeds = range(first, first + given.worlds)
        tasks = [(regime, arm, seed, given.trials) for seed in seeds for arm in given.arms]
        with Pool(given.processes) as pool:
            fronts = pool.map(run, tasks, chunksize=1)
        print(f"regime {regime}, {given.worlds} worlds, {given.trials} trials; points of true accuracy")
        print("\n".join(table(fronts)))


if __name__ == "__main__":
    main()
