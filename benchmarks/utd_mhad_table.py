"""Results of utd_mhad.py: accuracies, and the differences that fusion, depth, hierarchy and pruning make.

A difference is between two models of one seed on the same test clips. Its mean has two 95% intervals
(Student's t). The interval over seeds estimates the mean over all seeds, on these clips. The interval over
clips, each averaged over seeds, estimates the mean over all clips: takes of one action by one subject are
alike and count as one sample. Even so, the clips show four subjects, who may not represent others. The
intervals of accuracies are Wilson's, which treat all clips as independent.

Depth: all members against those without depth, with their own fusion weights. Hierarchy: each member's pass 2
against one without superclasses, with the same epochs and pass 1. Pruning: each member's pruned network
against one that went through the same passes with no filter pruned, if validation chose a pruned pass. The
difference of several members is their mean, independent of their fusion weights. All members are refit on all
training clips. No choice depends on these numbers.

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
from autohier.records.statistics import wilson_interval

_DIFFERENCES = {
    "fusion": "the fused model against its best member on validation",
    "depth": "the fused model against one of the others",
    "hierarchy": "pass 2 with superclasses against one without",
    "pruning": "pruned networks against the same retraining without pruning",
}
Gains = tuple[int, ...]
"""For each clip: 1 if only the model is right, -1 if only the other one is, else 0."""


@dataclass(frozen=True, slots=True)
class Seed:
    """Results of one seed on the test clips."""

    seed: int
    minutes: float
    accuracy: float
    """Of the fused model."""
    members: dict[str, float]
    """Accuracy of each member, by name."""
    clip_ids: tuple[str, ...]
    """Clips that all members have."""
    gains: dict[str, tuple[Gains, ...]]
    """Gains of each compared model, by difference."""


_SEED = TypeAdapter(Seed)


def write_seeds(path: Path, seeds: Sequence[Seed]) -> None:
    """Write the results, one line for each seed."""
    lines = [_SEED.dump_json(each) for each in sorted(seeds, key=lambda one: one.seed)]
    write_atomically(path, b"".join(line + b"\n" for line in lines))


def read_seeds(path: Path) -> list[Seed]:
    """Return the results in a file; empty if there is no such file."""
    lines = path.read_text().splitlines() if path.is_file() else ()
    return [_SEED.validate_json(line) for line in lines]


def table(seeds: Sequence[Seed]) -> list[str]:
    """Return the lines of the table."""
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
        + interval_text(interval(accuracies), len(seeds), ".2f")
    )
    lines += [f"{name} ({what}): {_added(seeds, name)}" for name, what in _DIFFERENCES.items()]
    return lines


def _added(seeds: Sequence[Seed], name: str) -> str:
    compared = [each for each in seeds if each.gains[name]]
    if not compared:
        return "nothing to compare"
    clip_ids = sorted(set.intersection(*(set(each.clip_ids) for each in compared)))
    points_SC = 100 * np.stack([_mean_gains(each, name, clip_ids) for each in compared])
    of_seeds, groups = points_SC.mean(axis=1).tolist(), [group_of(clip_id) for clip_id in clip_ids]
    over_seeds = interval_text(interval(of_seeds), len(compared), "+.2f")
    over_clips = interval_text(clustered_interval(points_SC.mean(axis=0), groups), len(set(groups)), "+.2f")
    return (
        f"{mean(of_seeds):+.2f} points, 95% interval over seeds {over_seeds}, over clips {over_clips}; "
        f"{sum(len(each.gains[name]) for each in compared)} models of {len(compared)} seeds"
    )


def _mean_gains(seed: Seed, name: str, clip_ids: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean gain over a seed's models, for each clip."""
    rows = {clip_id: row for row, clip_id in enumerate(seed.clip_ids)}
    gains_C = np.array(seed.gains[name], dtype=np.float64).mean(axis=0)
    chosen_C: NDArray[np.float64] = gains_C[[rows[clip_id] for clip_id in clip_ids]]
    return chosen_C


def group_of(clip_id: str) -> str:
    """Return subject and action of a clip: its name without the number of the take."""
    return clip_id.rpartition("_")[0]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% interval of a mean by Student's t; NaN if all values are equal."""
    if len(set(values)) < 2:
        return nan, nan
    half = float(student_t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return mean(values) - half, mean(values) + half


def clustered_interval(values_C: NDArray[np.float64], groups: Sequence[str]) -> tuple[float, float]:
    """Return the 95% interval of a mean of values that are alike within groups.

    The variance is G / (G - 1) / C^2 times the sum over groups of the squared sum of the deviations of a
    group's values from the mean (Liang and Zeger 1986), with Student's t of G - 1 degrees of freedom. With
    groups of one value it equals `interval`.
    """
    names, group_of_C = np.unique(groups, return_inverse=True)
    centre = float(values_C.mean())
    off_G = np.bincount(group_of_C, weights=values_C - centre)
    if len(names) < 2 or not off_G.any():
        return nan, nan
    error = sqrt(len(names) / (len(names) - 1) * float((off_G**2).sum())) / len(values_C)
    half = float(student_t.ppf(0.975, len(names) - 1)) * error
    return centre - half, centre + half


def interval_text(ends: tuple[float, float], number: int, style: str) -> str:
    low, high = ends
    if low != low:  # noqa: PLR0124  not a number
        return "unknown, only one" if number < 2 else f"unknown, as all {number} are equal"
    return f"{low:{style}} to {high:{style}}"


def main() -> None:
    """Print the table of a file."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("utd_mhad.json")
    print("\n".join(table(read_seeds(path))))


if __name__ == "__main__":
    main()
