"""What utd_mhad.py measured: accuracies, and what fusion, depth, hierarchy and pruning added or took away.

Differences are those of two models of one seed on the same test clips, with two 95% intervals of their mean
(Student's t). That over seeds says where the mean over all seeds would lie, on these clips. That over clips,
each its mean over seeds, says where the mean over all clips would lie: takes of one action by one person
count as one draw, being alike, and even so the clips are of four people, who may not stand for others. The
intervals of accuracies are Wilson's, which take all clips for draws of their own.

Depth: all members against the others with weights of their own. Hierarchy: each member's pass 2 against one
without superclasses, as long and from the same pass 1. Pruning: each member's pruned network against one that
went through the same passes with nothing pruned, where validation kept a pruned pass. Of members that differ,
their mean counts, whatever their weights in the fused model; all are refit on all training clips. Nothing is
chosen by what is read here.

    python benchmarks/utd_mhad_table.py                       # the seeds in benchmarks/utd_mhad.json
    python benchmarks/utd_mhad_table.py sweeps/utd_mhad.json
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.stats import t as student_t

from autohier.files import write_atomically
from autohier.records.interval import wilson_interval

_DIFFERENCES = {
    "fusion": "the fused model against its best member on validation",
    "depth": "the fused model against one of the others",
    "hierarchy": "pass 2 with superclasses against one without",
    "pruning": "pruned networks against as long retraining",
}
Gains = tuple[int, ...]
"""Of each clip: 1 where a model has it right and the other has not, -1 the other way round, else 0."""


@dataclass(frozen=True, slots=True)
class Seed:
    """What one seed reached on the test clips."""

    seed: int
    minutes: float
    accuracy: float
    """Of the fused model."""
    members: dict[str, float]
    """The accuracy of each, by its name."""
    clip_ids: tuple[str, ...]
    """Those that all members have."""
    gains: dict[str, tuple[Gains, ...]]
    """By the difference, of each model that there is something to tell of."""


_SEED = TypeAdapter(Seed)


def write_seeds(path: Path, seeds: Sequence[Seed]) -> None:
    """Keep what was measured, one line for each seed."""
    lines = [_SEED.dump_json(each) for each in sorted(seeds, key=lambda one: one.seed)]
    write_atomically(path, b"".join(line + b"\n" for line in lines))


def read_seeds(path: Path) -> list[Seed]:
    """What was kept; nothing where there is no such file."""
    lines = path.read_text().splitlines() if path.is_file() else ()
    return [_SEED.validate_json(line) for line in lines]


def table(seeds: Sequence[Seed]) -> list[str]:
    """What is told of all seeds."""
    lines = []
    for each in seeds:
        low, high = wilson_interval(each.accuracy, len(each.clip_ids))
        members = ", ".join(f"{name} {accuracy:.2%}" for name, accuracy in each.members.items())
        lines.append(
            f"seed {each.seed}: fused {each.accuracy:.2%} of {len(each.clip_ids)} test clips, 95% interval "
            f"{low:.2%} to {high:.2%}; {members}; {each.minutes:.0f} min"
        )
    accuracies = [100 * each.accuracy for each in seeds]
    lines.append(
        f"fused, mean over {len(seeds)} seeds: {mean(accuracies):.2f}%, 95% interval over seeds "
        + _interval_text(interval(accuracies), len(seeds), ".2f")
    )
    lines += [f"{name} ({what}): {_added(seeds, name)}" for name, what in _DIFFERENCES.items()]
    return lines


def _added(seeds: Sequence[Seed], name: str) -> str:
    told = [each for each in seeds if each.gains[name]]
    if not told:
        return "nothing to tell"
    clip_ids = sorted(set.intersection(*(set(each.clip_ids) for each in told)))
    points_SC = 100 * np.stack([_mean_gains(each, name, clip_ids) for each in told])
    of_seeds, groups = points_SC.mean(axis=1).tolist(), [_group(clip_id) for clip_id in clip_ids]
    over_seeds = _interval_text(interval(of_seeds), len(told), "+.2f")
    over_clips = _interval_text(clustered_interval(points_SC.mean(axis=0), groups), len(set(groups)), "+.2f")
    return (
        f"{mean(of_seeds):+.2f} points, 95% interval over seeds {over_seeds}, over clips {over_clips}; "
        f"{sum(len(each.gains[name]) for each in told)} models of {len(told)} seeds"
    )


def _mean_gains(seed: Seed, name: str, clip_ids: Sequence[str]) -> NDArray[np.float64]:
    """Of each clip the mean over a seed's models."""
    rows = {clip_id: row for row, clip_id in enumerate(seed.clip_ids)}
    gains_C = np.array(seed.gains[name], dtype=np.float64).mean(axis=0)
    chosen_C: NDArray[np.float64] = gains_C[[rows[clip_id] for clip_id in clip_ids]]
    return chosen_C


def _group(clip_id: str) -> str:
    """Who does what in a clip: its name, which ends with the number of the take."""
    return clip_id.rpartition("_")[0]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean, by Student's t; without ends where values do not differ."""
    if len(set(values)) < 2:
        return nan, nan
    half = float(student_t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return mean(values) - half, mean(values) + half


def clustered_interval(values_C: NDArray[np.float64], groups: Sequence[str]) -> tuple[float, float]:
    """The 95% interval of a mean of values that are alike within groups.

    Its variance is G / (G - 1) / C^2 times the sum over groups of the squared sum of what a group's values
    lie off the mean (Liang and Zeger 1986), with Student's t of G - 1 degrees. Of groups of one it is
    `interval`.
    """
    names, group_of_C = np.unique(groups, return_inverse=True)
    centre = float(values_C.mean())
    off_G = np.bincount(group_of_C, weights=values_C - centre)
    if len(names) < 2 or not off_G.any():
        return nan, nan
    error = sqrt(len(names) / (len(names) - 1) * float((off_G**2).sum())) / len(values_C)
    half = float(student_t.ppf(0.975, len(names) - 1)) * error
    return centre - half, centre + half


def _interval_text(ends: tuple[float, float], number: int, style: str) -> str:
    low, high = ends
    if low != low:  # noqa: PLR0124  not a number
        return "unknown, of one" if number < 2 else f"unknown, as all {number} are equal"
    return f"{low:{style}} to {high:{style}}"


def main() -> None:
    """Tell what is in a file."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("utd_mhad.json")
    print("\n".join(table(read_seeds(path))))


if __name__ == "__main__":
    main()
