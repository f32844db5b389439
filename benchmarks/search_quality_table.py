"""Print the figures of `search_quality.json`.

    python benchmarks/search_quality_table.py             held-out worlds
    python benchmarks/search_quality_table.py --tuning    worlds that tuning may look at

Columns, means over worlds:

    true        true accuracy of what is delivered, minus that of stock plain (Ray Tune with OptunaSearch, the
                highest value delivered) in the same world: points, with the 95% interval of the mean
    optimism    measured minus true accuracy of what is delivered, in points
    search      epochs of the search, with stages shared as by autohier's store; `no store` without
    confirm     epochs of confirmation, with its controls
    all         epochs of search and confirmation, as a share of stock plain's search
    refit       epochs of the winner's refit
    worse       share of sweeps that deliver something truly worse than the first initial config
    gains       share of sweeps that claim a gain, over the control, the flat recognizer or the first config,
                by the intervals of a sweep's report, over the results that have these
    times       epochs of stock plain / epochs of this search until what it would deliver is on average as
                accurate as what stock plain delivers in the end: with the 95% interval over bootstrap samples
                of the worlds, and the ratio that 90% of the samples reach; 0 is never
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from search_quality import FIRST_HELD_OUT, RESULTS, read_results
from search_quality_arms import ARMS

Row = Mapping[str, Any]
Worlds = Mapping[int, Row]
Floats = NDArray[np.float64]

DELIVERIES = (
    *("highest", "model", "cautious", "any pass"),
    *("highest, fresh", "model, fresh", "model, pooled", "model, cautious"),
)
_NUM_SAMPLES, _GRID = 1000, 400


def by_arm(rows: Iterable[Row], regime: str, trials: int) -> dict[str, dict[int, Row]]:
    """Return the rows of a regime by arm and world, in the order of `ARMS`.

    An arm with another number of trials has that in its name, e.g. "ours-none 40".
    """
    arms: dict[str, dict[int, Row]] = {arm: {} for arm in ARMS}
    for row in rows:
        if row["regime"] == regime:
            name = row["arm"] if row["trials"] == trials else f"{row['arm']} {row['trials']}"
            arms.setdefault(name, {})[row["world"]] = row
    return {arm: worlds for arm, worlds in arms.items() if worlds}


def interval(values: Sequence[float] | Floats) -> tuple[float, float]:
    """Return the mean and the half width of its 95% interval."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        return float(array.mean()), float("nan")
    return float(array.mean()), float(1.96 * array.std(ddof=1) / np.sqrt(len(array)))


def difference(worlds: Worlds, delivery: str, others: Worlds, other: str) -> tuple[float, float, int]:
    """Return the mean paired difference in points of true accuracy, its half width and the pairs."""
    shared = sorted(worlds.keys() & others.keys())
    values = [_true(worlds[world], delivery) - _true(others[world], other) for world in shared]
    return (*interval([100 * value for value in values]), len(shared))


def _true(row: Row, delivery: str) -> float:
    return float(row["delivered"][delivery]["true"])


def times_to_target(
    worlds: Worlds, rule: str, plain: Worlds, seed: int = 0
) -> tuple[float, float, float, float]:
    """Return how many times fewer epochs reach stock plain's final accuracy.

    Returns:
        The ratio over all worlds, the ends of its 95% bootstrap interval, and its 10% quantile.
    """
    shared = sorted(worlds.keys() & plain.keys())
    most = max(max(epochs for epochs, _ in worlds[world]["curves"][rule]) for world in shared)
    grid = np.linspace(0, most, _GRID + 1)[1:]
    curves = np.array([_steps(worlds[world]["curves"][rule], grid) for world in shared])
    targets = np.array([_true(plain[world], "highest") for world in shared])
    costs = np.array([float(plain[world]["search_epochs"]) for world in shared])

    def ratio(chosen: NDArray[np.int64]) -> float:
        reached = curves[chosen].mean(axis=0) >= targets[chosen].mean()
        return float(costs[chosen].mean() / grid[reached.argmax()]) if reached.any() else 0.0

    random = np.random.default_rng(seed)
    samples = [ratio(random.integers(0, len(shared), len(shared))) for _ in range(_NUM_SAMPLES)]
    low, tenth, high = (float(np.quantile(samples, q)) for q in (0.025, 0.1, 0.975))
    return ratio(np.arange(len(shared))), low, high, tenth


def _steps(curve: Sequence[Sequence[float]], grid: Floats) -> Floats:
    """Return a curve of steps at the places of a grid; 0 before its first, as nothing is delivered yet."""
    epochs, values = np.array(curve, dtype=float).T
    last = np.searchsorted(epochs, grid, side="right") - 1
    return np.asarray(np.where(last < 0, 0.0, values[np.maximum(last, 0)]))


def table(arms: Mapping[str, Worlds], deliveries: Sequence[str] = DELIVERIES) -> list[str]:
    """Return a line for each arm and way to choose."""
    names = f"{'arm':20}{'choice':16}{'worlds':>6}{'true':>16}{'optimism':>10}{'search':>8}{'no store':>10}"
    lines = [f"{names}{'confirm':>9}{'all':>6}{'refit':>7}{'worse':>7}{'gains':>7}   times"]
    for arm, worlds in arms.items():
        for delivery in deliveries:
            measured = having(worlds, delivery)
            lines += [_line(arm, measured, delivery, arms["plain"])] if measured else []
    return lines


def having(worlds: Worlds, delivery: str) -> dict[int, Row]:
    """Return the worlds in which a delivery was read out; older results lack some."""
    return {world: row for world, row in worlds.items() if delivery in row["delivered"]}


def all_epochs(row: Row, delivery: str) -> float:
    """Return the epochs of the search and of a confirmation."""
    return float(row["search_epochs"] + row["delivered"][delivery]["confirmation_epochs"])


def _line(arm: str, worlds: Worlds, delivery: str, plain: Worlds) -> str:
    rows = list(worlds.values())
    own = [row["delivered"][delivery] for row in rows]
    mean, half, number = difference(worlds, delivery, plain, "highest")
    optimism = 100 * float(np.mean([one["observed"] - one["true"] for one in own]))
    worse = float(np.mean([one["true"] < row["first"] - 1e-9 for one, row in zip(own, rows, strict=True)]))
    claims = [one["claims_gain"] or one["claims_over_first"] for one in own if "claims_over_first" in one]
    shared = sorted(worlds.keys() & plain.keys())
    whole = sum(all_epochs(worlds[world], delivery) for world in shared)
    share = whole / sum(plain[world]["search_epochs"] for world in shared)
    times = ""
    if delivery in rows[0]["curves"]:
        ratio, low, high, tenth = times_to_target(worlds, delivery, plain)
        times = f"{ratio:.1f} ({low:.1f} to {high:.1f}), 90%: {tenth:.1f}"
    return (
        f"{arm:20}{delivery:16}{number:6}{f'{mean:+.2f} ± {half:.2f}':>16}{optimism:10.2f}"
        f"{_mean(rows, 'search_epochs'):8.0f}{_mean(rows, 'uncached_epochs'):10.0f}"
        f"{_mean(own, 'confirmation_epochs'):9.0f}{share:6.2f}{_mean(own, 'refit_epochs'):7.0f}{worse:7.0%}"
        f"{f'{float(np.mean(claims)):.0%}' if claims else '':>7}   {times}".rstrip()
    )


def _mean(rows: Iterable[Row], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


FACTORS = (
    ("scheduler: successive-halving for none", "ours-halving", "model", "ours-none", "model"),
    ("scheduler: asha for none", "ours-asha", "model", "ours-none", "model"),
    ("scheduler: promising for none", "ours-promising", "model", "ours-none", "model"),
    ("trials: 40 for 64", "ours-none 40", "model", "ours-none", "model"),
    ("trials: 52 for 64, halving", "ours-halving 52", "model", "ours-halving", "model"),
    ("sampler: extrapolation for TPE", "ours-extrapolated", "model", "ours-none", "model"),
    ("sampler and stopping: extrapolation, 72 trials", "ours-both 72", "model", "ours-none", "model"),
    ("sampler: TPE with kept prefixes for random", "ours-none", "model", "random", "model"),
    ("choice: model for highest", "ours-none", "model", "ours-none", "highest"),
    ("choice: any measured pass for kept ones", "ours-none", "any pass", "ours-none", "model"),
    ("choice: model for highest, halving", "ours-halving", "model", "ours-halving", "highest"),
    ("choice: model for highest, stock plain", "plain", "model", "plain", "highest"),
    ("confirmation: after highest", "ours-none", "highest, fresh", "ours-none", "highest"),
    ("confirmation: after model", "ours-none", "model, fresh", "ours-none", "model"),
    ("confirmation: pooled after model", "ours-none", "model, pooled", "ours-none", "model"),
    ("choice: cautious for model, halving", "ours-halving", "cautious", "ours-halving", "model"),
    ("the same, both confirmed", "ours-halving", "model, cautious", "ours-halving", "model, pooled"),
    ("all of it, for stock plain with the same", "ours-none", "model, pooled", "plain", "model, pooled"),
    ("the same, 60 trials", "ours-none 60", "model, pooled", "plain", "model, pooled"),
    ("the same, successive halving", "ours-halving", "model, pooled", "plain", "model, pooled"),
    ("the same, successive halving, 52 trials", "ours-halving 52", "model, pooled", "plain", "model, pooled"),
)
"""What each part gives: its name, an arm and choice with it, and one without."""


def factors(arms: Mapping[str, Worlds]) -> list[str]:
    """Return a line for each factor: the paired difference in true accuracy, and the ratio of epochs."""
    lines = [f"{'factor':46}{'true':>16}{'epochs':>9}{'worlds':>8}"]
    if "ours-none" in arms:
        rows = list(arms["ours-none"].values())
        share = _mean(rows, "search_epochs") / _mean(rows, "uncached_epochs")
        lines.append(f"{'cache: shared stages':46}{'+0.00 ± 0.00':>16}{share:9.2f}")
    for name, arm, delivery, other, other_delivery in FACTORS:
        own, others = having(arms.get(arm, {}), delivery), having(arms.get(other, {}), other_delivery)
        if shared := sorted(own.keys() & others.keys()):
            mean, half, _ = difference(own, delivery, others, other_delivery)
            epochs = sum(all_epochs(own[world], delivery) for world in shared)
            share = epochs / sum(all_epochs(others[world], other_delivery) for world in shared)
            lines.append(f"{name:46}{f'{mean:+.2f} ± {half:.2f}':>16}{share:9.2f}{len(shared):8}")
    return lines


def main() -> None:
    """Print a table and the factors of each regime."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--tuning", action="store_true", help="the worlds that tuning may look at")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--choices", nargs="+", default=list(DELIVERIES), choices=DELIVERIES)
    options = parser.parse_args()
    rows = [
        row
        for row in read_results(options.results).values()
        if (row["world"] >= FIRST_HELD_OUT) != options.tuning
    ]
    for regime in dict.fromkeys(row["regime"] for row in rows):
        arms = by_arm(rows, regime, options.trials)
        if "plain" in arms:
            print(f"regime {regime}, {options.trials} trials, {'tuning' if options.tuning else 'held out'}")
            print("\n".join([*table(arms, options.choices), "", *factors(arms), ""]))


if __name__ == "__main__":
    main()
