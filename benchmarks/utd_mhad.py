"""What automatic search is worth on real data: UTD-MHAD, cross-subject, from its files to the fused model.

For every seed this runs the README's commands: search skeleton streams and a small depth recognizer with
folds of the training subjects, fuse the best trial of each stream, read the test split once. Published on
this split: HAC 91.63%, the best of its table 94.51%.

Then it tells what fusion, depth, hierarchy and pruning added or took away: differences of two models of one
seed on the same test clips, their mean over seeds and its 95% interval (Student's t; one seed has none).
Depth: all members against the others with weights of their own. Hierarchy: each member's pass 2 against one
without superclasses, as long and from the same pass 1. Pruning: each member's pruned network against one that
went through the same passes with nothing pruned. Of members that differ, their mean counts; all are refit on
all training clips. Nothing is chosen by what is read here.

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
from math import isnan, nan, sqrt
from pathlib import Path
from statistics import mean, stdev

from scipy.stats import t as student_t

from autohier.core.fusion import Fused, likeliest_weights, share_clips
from autohier.core.hierarchy import Hierarchy
from autohier.core.prediction import find_kept
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageResult
from autohier.core.trial import read_test, refit
from autohier.records.interval import wilson_interval
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


@dataclass(frozen=True, slots=True)
class Seed:
    """What one seed reached on the test clips."""

    seed: int
    fused: Fused
    minutes: float
    differences: dict[str, float]
    """In points; NaN where there is nothing to tell."""


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
    # A folder of records is there before what it is made for.
    return made.is_file() or any(made.rglob("*.parquet"))


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
    accuracy = fused.together.accuracy
    differences = {
        "fusion": accuracy - fused.alone.accuracy,
        "depth": accuracy - undeep.together.accuracy,
        "hierarchy": _mean([hierarchy for hierarchy, _ in told]),
        "pruning": _mean([pruning for _, pruning in told]),
    }
    return Seed(seed, fused, minutes, {name: 100 * value for name, value in differences.items()})


def ablate(member: Member, opened: Open, say: Callable[[str], None]) -> tuple[float, float]:
    """What its superclasses and its pruning added to a member's test accuracy; NaN without any."""
    say(f"{member.name}: without superclasses, and with nothing pruned")
    choice, trial = member.setting.choice, opened(member)
    kept = find_kept(trial, member.kept_pass, member.stage_keys[-1])
    _, pass_2, *pruned = refit(trial, kept)
    flat, nothing_pruned = (
        opened(member.model_copy(update={"setting": member.setting.model_copy(update={"choice": other})}))
        for other in (
            choice.model_copy(update={"superclasses": (), "weight_ratio": 1.0}),
            choice.model_copy(update={"ratio": 0.0}),
        )
    )

    def score(opened_trial: OpenTrial, stage: StageResult) -> float:
        return read_test(opened_trial.with_all_training_clips(), stage).accuracy

    hierarchy = pruning = nan
    if choice.superclasses:
        no_superclasses = replace(kept, pass_index=0, hierarchy=Hierarchy.flat(kept.hierarchy.num_classes))
        hierarchy = score(trial, pass_2) - score(flat, refit(flat, no_superclasses)[-1])
    if pruned and choice.ratio:
        pruning = score(trial, pruned[-1]) - score(nothing_pruned, refit(nothing_pruned, kept)[-1])
    return hierarchy, pruning


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
    lines.append(f"fused, mean over {len(seeds)} seeds: {_told(accuracies, '.2f')}%")
    for name, what in _DIFFERENCES.items():
        values = _known([each.differences[name] for each in seeds])
        told = f"{_told(values, '+.2f')} points" if values else "nothing to tell"
        lines.append(f"{name} ({what}): {told}")
    return lines


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean, by Student's t; without ends for one value."""
    if len(values) < 2:
        return nan, nan
    half = float(student_t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return mean(values) - half, mean(values) + half


def _told(values: Sequence[float], style: str) -> str:
    low, high = interval(values)
    ends = f", 95% interval {low:{style}} to {high:{style}}" if len(values) > 1 else ""
    return f"{mean(values):{style}}{ends}"


def _mean(values: Sequence[float]) -> float:
    known = _known(values)
    return mean(known) if known else nan


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if not isnan(value)]


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
