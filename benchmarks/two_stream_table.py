"""Results of two_stream.py: accuracies of each model, and the differences that joint training makes.

A difference is between two models of one seed on the same test clips. Its mean has two 95% intervals
(Student's t); utd_mhad_table.py explains them. The interval over seeds also counts the validation subject,
which differs from seed to seed.

    python benchmarks/two_stream_table.py                     # the seeds in benchmarks/two_stream.json
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from pydantic import TypeAdapter
from utd_mhad_table import clustered_interval, group_of, interval, interval_text

from autohier.files import write_atomically

_DIFFERENCES = (
    ("joint", "late"),
    ("joint, weighted", "late, weighted"),
    ("joint's frames", "frames alone"),
    ("joint's skeletons", "skeletons alone"),
    ("late", "skeletons alone"),
    ("joint", "joint's skeletons"),
)


@dataclass(frozen=True, slots=True)
class Seed:
    """Results of one seed on the test clips."""

    seed: int
    minutes: float
    held_out: int
    """Training subject that validated."""
    weights: dict[str, tuple[float, ...]]
    """Weights of frames and skeletons that make the validation clips likeliest, joint and late."""
    clip_ids: tuple[str, ...]
    """Test clips."""
    right: dict[str, tuple[int, ...]]
    """1 for each test clip that a model gets right, else 0; by model."""


_SEED = TypeAdapter(Seed)


def write_seeds(path: Path, seeds: Sequence[Seed]) -> None:
    """Write the results, one line for each seed."""
    lines = [_SEED.dump_json(each) for each in sorted(seeds, key=lambda one: one.seed)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, b"".join(line + b"\n" for line in lines))


def read_seeds(path: Path) -> list[Seed]:
    """Return the results in a file; empty if there is no such file."""
    lines = path.read_text().splitlines() if path.is_file() else ()
    return [_SEED.validate_json(line) for line in lines]


def table(seeds: Sequence[Seed]) -> list[str]:
    """Return the lines of the table."""
    lines = []
    for each in seeds:
        accuracies = ", ".join(f"{name} {mean(right):.1%}" for name, right in each.right.items())
        weights = ", ".join(f"{name} {own[0]:.2f}" for name, own in each.weights.items())
        lines.append(
            f"seed {each.seed}: {accuracies}; weight of frames: {weights}; subject {each.held_out} "
            f"validates; {each.minutes:.0f} min"
        )
    for name in seeds[0].right:
        accuracies_S = [100 * mean(each.right[name]) for each in seeds]
        text = interval_text(interval(accuracies_S), len(seeds), ".2f")
        lines.append(f"{name}: mean {mean(accuracies_S):.2f}%, 95% interval over seeds {text}")
    return [
        *lines,
        *(f"{model} against {other}: {_difference(seeds, model, other)}" for model, other in _DIFFERENCES),
    ]


def _difference(seeds: Sequence[Seed], model: str, other: str) -> str:
    points_SC = 100 * np.array(
        [np.subtract(each.right[model], each.right[other]) for each in seeds], dtype=np.float64
    )
    of_seeds, groups = points_SC.mean(axis=1).tolist(), [group_of(each) for each in seeds[0].clip_ids]
    over_seeds = interval_text(interval(of_seeds), len(seeds), "+.2f")
    over_clips = interval_text(clustered_interval(points_SC.mean(axis=0), groups), len(set(groups)), "+.2f")
    better = sum(value > 0 for value in of_seeds)
    return (
        f"{mean(of_seeds):+.2f} points, 95% interval over seeds {over_seeds}, over clips {over_clips}; "
        f"better in {better} of {len(seeds)} seeds"
    )


def main() -> None:
    """Print the table of a file."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("two_stream.json")
    print("\n".join(table(read_seeds(path))))


if __name__ == "__main__":
    main()
