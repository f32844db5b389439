"""What automatic search is worth on real data: UTD-MHAD, cross-subject, from its files to the fused model.

For every seed this runs the README's commands: search skeleton streams and a small depth recognizer with
folds of the training subjects, fuse the best trial of each stream, read the test split once. Published on
this split: HAC 91.63%, the best of its table 94.51%.

Then it tells what fusion, depth, hierarchy and pruning added or took away: differences of two models of one
seed on the same test clips, and two 95% intervals of their mean (Student's t). That over seeds says what
another seed would do on these clips; that over clips, each its mean over seeds, what other clips would show,
as far as clips of four people stand for others.
Depth: all members against the others with weights of their own. Hierarchy: each member's pass 2 against one
without superclasses, as long and from the same pass 1. Pruning: each member's pruned network against one that
went through the same passes with nothing pruned, where validation kept a pruned pass. Of members that differ,
their mean counts, whatever their weights in the fused model; all are refit on all training clips. Nothing is
chosen by what is read here.

Given again, it goes on where it was stopped; of finished seeds it prints the minutes that they took.

    python benchmarks/utd_mhad.py --source UTD-MHAD           # with Skeleton/ and Depth/; hours
    python benchmarks/utd_mhad.py --source UTD-MHAD --seeds 0
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import nan, sqrt
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from autohier.core.fusion import Fused, likeliest_weights, share_clips
from autohier.core.hierarchy import Hierarchy
from autohier.core.prediction import find_kept, predict_test
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.reporter import Reporters
from autohier.core.training.metrics import Predictions
from autohier.records.interval import wilson_interval
from autohier.records.reader import read_records
from autohier.settings.fusion import Member
from autohier.sweep.evaluating import evaluate_model, find_model
from autohier.sweep.members import open_member, predict_member

_SPACES = {"skeletons": ("utd_mhad_skeleton", 12), "depth": ("utd_mhad_small", 2)}
"""By the name of the sweep, the space and the number of trials."""
_COMMAND = "from autohier.cli.main import main; main()"
_DIFFERENCES = {
    "fusion": "the fused model against its best member on validation",
    "depth": "the fused model against one of the others",
    "hierarchy": "pass 2 with superclasses against one without",
    "pruning": "pruned networks against as long retraining",
}

Open = Callable[[Member], OpenTrial]
Gains = NDArray[np.float64]
"""Of each test clip, in the order of their names: 1 where a model wins it, -1 where it loses it, else 0."""


@dataclass(frozen=True, slots=True)
class Seed:
    """What one seed reached on the test clips."""

    seed: int
    fused: Fused
    minutes: float
    gains: dict[str, list[Gains]]
    """Of each model that there is something to tell of."""


def commands(seed: int, options: argparse.Namespace) -> dict[Path, tuple[str, ...]]:
    """The README's commands, by what is there when they are done."""
    data, out = ("--data", str(options.data)), ("--out", str(options.out))
    done: dict[Path, tuple[str, ...]] = {}
    for modality in ("skeleton", "depth"):
        made = options.data / f"utd-mhad-{modality}" / "manifest.json"
        done[made] = ("prepare", "utd-mhad", "--source", str(options.source), "--modality", modality, *data)
    for name, (space, trials) in _SPACES.items():
        sweep = f"{name}-{seed}"
        choices = ("--trials", str(trials), "--stopping", "none", "--seed", str(seed), *_sets(options.set))
        begin = ("search", space, *choices, "--name", sweep, *data)
        begun = (options.out / sweep / "sweep.json").is_file()
        done[options.out / sweep / "records" / "tests"] = (*(("resume", sweep) if begun else begin), *out)
    fusion = f"utd-{seed}"
    members = (f"skeletons-{seed}:each", f"depth-{seed}")
    done[options.out / "fusions" / fusion / "fusion.json"] = ("fuse", *members, "--name", fusion, *out)
    done[options.out / "fusions" / fusion / "records"] = ("evaluate", fusion, *out)
    return done


def run_commands(seed: int, options: argparse.Namespace) -> float:
    """Run what is not done yet.

    Returns:
        Minutes that all of it took, in this run and those before, the preparation that seeds share included;
        what somebody else ran is not known.
    """
    prepared, searched = options.data / "utd-mhad.minutes", options.out / f"utd-{seed}.minutes"
    for made, command in commands(seed, options).items():
        if _is_done(made):
            continue
        started = time.monotonic()
        print("autohier", *command, flush=True)
        try:
            subprocess.run([sys.executable, "-c", _COMMAND, *command], check=True)
        finally:
            times = prepared if command[0] == "prepare" else searched
            times.parent.mkdir(parents=True, exist_ok=True)
            with times.open("a") as file:
                file.write(f"{(time.monotonic() - started) / 60}\n")
    told = [times.read_text().split() for times in (prepared, searched) if times.is_file()]
    return sum(float(line) for lines in told for line in lines)


def _is_done(made: Path) -> bool:
    if made.name != "tests":
        # A folder of records is there before what it is made for.
        return made.is_file() or any(made.rglob("*.parquet"))
    # A sweep reads its winner's pass 1 too, which nobody does by hand.
    return any(reading.stage.startswith("pass 1") for reading in read_records(made.parent).tests)


def measure(seed: int, options: argparse.Namespace) -> Seed:
    """Read what one seed's models take the test clips for."""
    minutes = run_commands(seed, options)
    opened = partial(open_member, reporter=Reporters(), device="auto", num_threads=os.cpu_count() or 1)
    say = partial(print, f"seed {seed}:", flush=True)
    model = find_model(f"utd-{seed}", options.out)
    fused = evaluate_model(model, "test", refitted=True, opened=opened, say=say)
    others = [place for place, each in enumerate(model.members) if each.setting.clips.modality != "depth"]
    chosen = [model.members[place] for place in others]
    validated = [predict_member(each, "validation", opened=opened, say=say) for each in chosen]
    undeep = Fused.of(
        [fused.members[place] for place in others],
        likeliest_weights(share_clips(validated)),
        [each.accuracy for each in chosen],
    )
    told = [ablate(member, opened, say) for member in model.members]
    gains = {
        "fusion": [_gains(fused.together, fused.alone)],
        "depth": [_gains(fused.together, undeep.together)],
        "hierarchy": [hierarchy for hierarchy, _ in told if hierarchy is not None],
        "pruning": [pruning for _, pruning in told if pruning is not None],
    }
    return Seed(seed, fused, minutes, gains)


def ablate(member: Member, opened: Open, say: Callable[[str], None]) -> tuple[Gains | None, Gains | None]:
    """What its superclasses and its pruning added to a member on the test clips; None without any."""
    say(f"{member.name}: without superclasses, and with nothing pruned")
    choice, trial = member.setting.choice, opened(member)
    kept = find_kept(trial, member.kept_pass, member.stage_keys[-1])
    predict = partial(predict_test, refitted=True)

    def other(**changes: object) -> OpenTrial:
        changed = choice.model_copy(update=changes)
        return opened(
            member.model_copy(update={"setting": member.setting.model_copy(update={"choice": changed})})
        )

    hierarchy = pruning = None
    if choice.superclasses:
        pass_2 = replace(kept, pass_index=0)
        flat = replace(pass_2, hierarchy=Hierarchy.flat(kept.hierarchy.num_classes))
        without = predict(other(superclasses=(), weight_ratio=1.0), flat)
        hierarchy = _gains(predict(trial, pass_2), without)
    if kept.pass_index and choice.ratio:
        pruning = _gains(predict(trial, kept), predict(other(ratio=0.0), kept))
    return hierarchy, pruning


def _gains(model: Predictions, other: Predictions) -> Gains:
    right, other_right = (
        told.of(sorted(told.clip_ids)).is_right.astype(np.float64) for told in (model, other)
    )
    return right - other_right


def table(seeds: Sequence[Seed]) -> list[str]:
    """What is told of all seeds."""
    lines = []
    for each in seeds:
        accuracy, num_clips = each.fused.together.accuracy, len(each.fused.together.clip_ids)
        low, high = wilson_interval(accuracy, num_clips)
        members = ", ".join(f"{member.accuracy:.2%}" for member in each.fused.members)
        lines.append(
            f"seed {each.seed}: fused {accuracy:.2%} of {num_clips} test clips, 95% interval {low:.2%} to "
            f"{high:.2%}; members {members}; {each.minutes:.0f} min"
        )
    accuracies = [100 * each.fused.together.accuracy for each in seeds]
    over_seeds = _interval_text(accuracies, ".2f")
    lines.append(f"fused, mean over {len(seeds)} seeds: {mean(accuracies):.2f}%, 95% interval {over_seeds}")
    lines += [f"{name} ({what}): {_added(seeds, name)}" for name, what in _DIFFERENCES.items()]
    return lines


def _added(seeds: Sequence[Seed], name: str) -> str:
    told = [each.gains[name] for each in seeds if each.gains[name]]
    if not told:
        return "nothing to tell"
    points_SC = 100 * np.stack([np.mean(gains, axis=0) for gains in told])
    of_seeds, of_clips = points_SC.mean(axis=1).tolist(), points_SC.mean(axis=0).tolist()
    over_seeds, over_clips = (_interval_text(values, "+.2f") for values in (of_seeds, of_clips))
    return (
        f"{mean(of_seeds):+.2f} points, 95% interval over seeds {over_seeds}, over clips {over_clips}; "
        f"{sum(map(len, told))} models of {len(told)} seeds"
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean, by Student's t; without ends where values do not differ."""
    if len(set(values)) < 2:
        return nan, nan
    half = float(student_t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return mean(values) - half, mean(values) + half


def _interval_text(values: Sequence[float], style: str) -> str:
    if len(set(values)) < 2:
        return "unknown, of one" if len(values) < 2 else f"unknown, as all {len(values)} are equal"
    low, high = interval(values)
    return f"{low:{style}} to {high:{style}}"


def _sets(overrides: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for override in overrides for word in ("--set", override))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="folder with Skeleton/ and Depth/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("sweeps"))
    parser.add_argument("--set", action="append", default=[], help="a setting of both spaces, to try it out")
    options = parser.parse_args(arguments)
    print("\n".join(table([measure(seed, options) for seed in options.seeds])))


if __name__ == "__main__":
    main()
