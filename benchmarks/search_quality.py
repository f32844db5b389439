"""Quality of a search: what the config that it delivers is truly worth, and what it cost.

Searches are simulated in worlds whose true accuracies are known (`autohier.sweep.planning.simulation`), as
the accuracy that a search reports of its best trial is mostly luck. Every arm of `search_quality_arms.py`
gets the same worlds, search space, number of trials and stage cache; `plain`, what users have today, goes
without the cache. Each sweep is read out with both rules of choice and with confirmation
(`search_quality_choice.py`).

    regimes   null: all configs are equal; B: the demo, 72 validation clips; N: NTU60's recipe, 2,000
    families  worlds that tuning may look at, and with --held-out others that nothing was tuned on

    python benchmarks/search_quality.py --worlds 24
    python benchmarks/search_quality.py --worlds 96 --held-out
    python benchmarks/search_quality_table.py

Results are added to `search_quality.json`, from which `search_quality_table.py` prints the figures. SMAC3 and
Syne Tune need `pip install 'autohier[bench]'`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from search_quality_arms import ARMS, plan_of
from search_quality_choice import (
    CONFIRMED_RULES,
    DECISIONS,
    RULES,
    Network,
    Rule,
    choose_network,
    confirm,
    first_network,
    refit_epochs,
)

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.sweep.planning.simulation.regimes import REGIMES
from autohier.sweep.planning.simulation.results import EndedTrial, EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import NoisyWorld
from autohier.sweep.planning.simulation.world import World

RESULTS = Path(__file__).with_suffix(".json")
_SPACES = {"null": "demo", "B": "demo", "N": "ntu60"}
FIRST_HELD_OUT = 1_000_000
_PARALLEL = 2
_MODEL_STEPS = (6, 8, 11, 14, 18, 23, 30, 40, 52)
"""Numbers of ended trials at which the model chooses, apart from the last; the other rule does after each."""


@dataclass(frozen=True, slots=True)
class Task:
    """One sweep of one arm in one world."""

    regime: str
    arm: str
    world: int
    trials: int

    @property
    def key(self) -> str:
        """Name of the task in the results."""
        return f"{self.regime} {self.arm} {self.trials} {self.world}"


@cache
def space_of(regime: str) -> SearchSpace:
    """Return the search space of a regime, without initial configs that other libraries cannot encode."""
    space = load_space(_SPACES[regime])
    initial = tuple(config for config in space.initial if not config.off_grid)
    return space.model_copy(update={"initial": initial})


def run(task: Task) -> dict[str, Any]:
    """Simulate a sweep and read out what it delivers."""
    warnings.simplefilter("ignore")
    space, arm = space_of(task.regime), ARMS[task.arm]
    surrogate = NoisyWorld(World.draw(space, REGIMES[task.regime], task.world))
    sweep = simulate(
        plan_of(space, task.trials, task.world),
        surrogate,
        EpochCosts(1.0, 1.0, 1.0),
        parallel=_PARALLEL,
        searcher=arm.build(space, task.trials, task.world),
        share_stages=arm.share_stages,
    )
    num_clips = surrogate.world.regime.num_validation_clips

    def true(network: Network) -> float:
        return surrogate.world.accuracy(network.params, network.pass_index)

    trials = sweep.trials
    first = first_network(trials, space)
    by_rule = {rule: choose_network(rule, trials, space, num_clips) for rule in RULES}
    delivered: dict[str, Any] = {}
    for rule, ranked in by_rule.items():
        delivered[rule] = _read_out(space, ranked[0], true(ranked[0]), 0)
        if rule not in CONFIRMED_RULES:
            continue
        confirmed = confirm(ranked, first, trials, space, surrogate, share_stages=arm.share_stages)
        for decision in DECISIONS:
            result = confirmed[decision]
            delivered[f"{rule}, {decision}"] = {
                **_read_out(space, result.network, true(result.network), result.epochs),
                "claims_gain": result.claims_gain,
                "claims_over_first": result.claims_over_first,
            }
    return {
        "regime": task.regime,
        "arm": task.arm,
        "trials": task.trials,
        "world": task.world,
        "search_epochs": sweep.epochs,
        "uncached_epochs": sum(trial.own_epochs for trial in trials),
        "num_stopped": sweep.num_stopped,
        "first": true(first),
        "best_measured": max(
            surrogate.world.accuracy(trial.config.params, k)
            for trial in trials
            for k in range(len(trial.chain))
        ),
        "delivered": delivered,
        "curves": {
            rule: _changes(
                (epochs, true(network))
                for epochs, network in [
                    *_curve(rule, trials, space, num_clips, ends_only=task.regime == "null"),
                    (trials[-1].epochs, by_rule[rule][0]),
                ]
            )
            for rule in CONFIRMED_RULES
        },
    }


def _read_out(space: SearchSpace, network: Network, true: float, epochs: int) -> dict[str, Any]:
    return {
        "true": true,
        "observed": network.observed,
        "confirmation_epochs": epochs,
        "refit_epochs": refit_epochs(space, network),
    }


def _curve(
    rule: Rule, trials: Sequence[EndedTrial], space: SearchSpace, num_clips: int, *, ends_only: bool
) -> Iterator[tuple[int, Network]]:
    """Yield the epochs so far and the chosen network, as trials end, until before the last."""
    steps = range(1, len(trials)) if rule == "highest" else _MODEL_STEPS
    for step in () if ends_only else steps:
        if step < len(trials) and (ranked := choose_network(rule, trials[:step], space, num_clips)):
            yield trials[step - 1].epochs, ranked[0]


def _changes(curve: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points of a curve at which its value changes."""
    changes: list[tuple[int, float]] = []
    for epochs, value in curve:
        if not changes or value != changes[-1][1]:
            changes.append((epochs, value))
    return changes


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """Return the results so far, by the name of their task."""
    if not path.is_file():
        return {}
    return {Task(row["regime"], row["arm"], row["world"], row["trials"]).key: row for row in _rows(path)}


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def write_results(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write all results, one a line."""
    lines = ",\n".join(json.dumps(_rounded(row), separators=(",", ":")) for row in results)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, (list, tuple)) else value


def main() -> None:
    """Run the tasks whose results are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=list(REGIMES))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--held-out", action="store_true", help="worlds that nothing was tuned on")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    missing = [arm for arm in options.arms if not ARMS[arm].is_installed]
    for arm in missing:
        print(f"{arm} is skipped: it needs pip install 'autohier[bench]'", file=sys.stderr)
    first = FIRST_HELD_OUT if options.held_out else 0
    tasks = [
        Task(regime, arm, first + world, options.trials)
        for world in range(options.worlds)
        for regime in options.regimes
        for arm in options.arms
        if arm not in missing
    ]
    results = read_results(options.results)
    tasks = [task for task in tasks if task.key not in results]
    os.environ["OMP_NUM_THREADS"] = "1"
    if not tasks:
        return
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for number, row in enumerate(pool.imap_unordered(run, tasks), 1):
            results[Task(row["regime"], row["arm"], row["world"], row["trials"]).key] = row
            if number % 10 == 0 or number == len(tasks):
                write_results(options.results, list(results.values()))
                print(f"{number} of {len(tasks)} sweeps", flush=True)


if __name__ == "__main__":
    main()
