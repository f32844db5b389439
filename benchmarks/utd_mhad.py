"""Automatic search on real data: UTD-MHAD, cross-subject, from its files to the fused model.

For every seed this runs the commands of the documentation: search skeleton streams and a small depth
recognizer with cross-validation over the training subjects, fuse the best trial of each stream, and evaluate
once on the test split. Published on this split: HAC 91.63%, chosen on a tenth of the test clips, and 94.51%,
the best result in its table.

utd_mhad_table.py explains the printed table and its intervals. If the benchmark is started again, it
continues where it stopped, and prints the minutes of finished seeds.

    python benchmarks/utd_mhad.py --source UTD-MHAD           # with Skeleton/ and Depth/; hours
    python benchmarks/utd_mhad.py --source UTD-MHAD --seeds 0
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from utd_mhad_table import Gains, Seed, read_seeds, table, write_seeds

from autohier.config.fusion import Member
from autohier.core.hierarchy import Hierarchy
from autohier.core.late_fusion import Fused, likeliest_weights, share_clips
from autohier.core.prediction import find_kept_pass, predict_test
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.metrics import Predictions
from autohier.fusion.evaluate import evaluate_model, find_model
from autohier.fusion.members import open_member, predict_member
from autohier.machine import usable_cores
from autohier.records.reader import read_records

_SPACES = {"skeletons": ("utd_mhad_skeleton", 12), "depth": ("utd_mhad_small", 2)}
"""Search space and number of trials, by sweep."""
_COMMAND = "from autohier.cli.main import main; main()"

Open = Callable[[Member], TrialSetup]
Pair = tuple[Predictions, Predictions]
"""Predictions of a model on the test clips, and those of the model it is compared with."""


def commands(seed: int, options: argparse.Namespace) -> dict[Path, tuple[str, ...]]:
    """Return the commands by the file or folder that exists when they are done."""
    data, out = ("--data", str(options.data)), ("--out", str(options.out))
    done: dict[Path, tuple[str, ...]] = {}
    for modality in ("skeleton", "depth"):
        made = options.data / f"utd-mhad-{modality}" / "manifest.json"
        done[made] = ("prepare", "utd-mhad", "--source", str(options.source), "--modality", modality, *data)
    for name, (space, trials) in _SPACES.items():
        sweep = f"{name}-{seed}"
        choices = ("--trials", str(trials), "--scheduler", "none", "--seed", str(seed))
        begin = ("search", space, *choices, "--name", sweep, *data)
        begun = (options.out / sweep / "sweep.json").is_file()
        done[options.out / sweep / "records" / "tests"] = (*(("resume", sweep) if begun else begin), *out)
    fusion = f"utd-{seed}"
    members = (f"skeletons-{seed}:each", f"depth-{seed}")
    done[options.out / "fusions" / fusion / "fusion.json"] = ("fuse", *members, "--name", fusion, *out)
    done[options.out / "fusions" / fusion / "records"] = ("evaluate", fusion, *out)
    return done


def run_commands(seed: int, options: argparse.Namespace) -> float:
    """Run the commands that are not done yet.

    Returns:
        Minutes of all commands, in this run and earlier ones, including the preparation that seeds share.
        Commands that were not run by this benchmark are not counted.
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
    recorded = [times.read_text().split() for times in (prepared, searched) if times.is_file()]
    return sum(float(line) for lines in recorded for line in lines)


def _is_done(made: Path) -> bool:
    if made.name != "tests":
        # A folder of records exists before its records do.
        return made.is_file() or any(made.rglob("*.parquet"))
    # Only a sweep evaluates the pass 1 of its best trial as well.
    return any(result.stage.startswith("pass 1") for result in read_records(made.parent).tests)


def measure(seed: int, options: argparse.Namespace) -> Seed:
    """Evaluate the models of one seed on the test clips."""
    minutes = run_commands(seed, options)
    opened = partial(open_member, callback=CallbackList(), device="auto", num_threads=usable_cores())
    say = partial(print, f"seed {seed}:", flush=True)
    model = find_model(f"utd-{seed}", options.out)
    fused = evaluate_model(model, "test", refitted=True, opener=opened, log=say)
    others = [place for place, each in enumerate(model.members) if each.config.clips.modality != "depth"]
    chosen = [model.members[place] for place in others]
    validated = [predict_member(each, "validation", opener=opened, log=say) for each in chosen]
    without_depth = Fused.of(
        [fused.members[place] for place in others],
        likeliest_weights(share_clips(validated)),
        [each.accuracy for each in chosen],
    )
    ablations = [ablate(member, opened, say) for member in model.members]
    pairs = {
        "fusion": [(fused.predictions, fused.best_predictions)],
        "depth": [(fused.predictions, without_depth.predictions)],
        **{name: [each[name] for each in ablations if name in each] for name in ("hierarchy", "pruning")},
    }
    clip_ids = share_clips(fused.members)[0].clip_ids
    return Seed(
        seed,
        minutes,
        fused.predictions.of(clip_ids).accuracy,
        {each.name: read.accuracy for each, read in zip(model.members, fused.members, strict=True)},
        clip_ids,
        {name: tuple(gains(*pair, clip_ids) for pair in own) for name, own in pairs.items()},
    )


def ablate(member: Member, opened: Open, say: Callable[[str], None]) -> dict[str, Pair]:
    """Return a member's predictions with and without superclasses, and with and without pruning, if any."""
    say(f"{member.name}: without superclasses, and without pruning")
    params, trial = member.config.params, opened(member)
    kept = find_kept_pass(trial, member.kept_pass, member.stage_keys[-1])
    predict = partial(predict_test, refitted=True)

    def other(**changes: object) -> TrialSetup:
        changed = params.model_copy(update=changes)
        return opened(
            member.model_copy(update={"config": member.config.model_copy(update={"params": changed})})
        )

    pairs: dict[str, Pair] = {}
    if params.superclasses:
        pass_2 = replace(kept, pass_index=0)
        flat = replace(pass_2, hierarchy=Hierarchy.flat(kept.hierarchy.num_classes))
        without = other(superclasses=(), weight_ratio=1.0)
        pairs["hierarchy"] = predict(trial, pass_2), predict(without, flat)
    if kept.pass_index and params.ratio:
        pairs["pruning"] = predict(trial, kept), predict(other(ratio=0.0), kept)
    return pairs


def gains(model: Predictions, other: Predictions, clip_ids: Sequence[str]) -> Gains:
    """See `Gains`."""
    right, other_right = (each.of(clip_ids).is_right.astype(int) for each in (model, other))
    return tuple((right - other_right).tolist())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="folder with Skeleton/ and Depth/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("sweeps"))
    parser.add_argument(
        "--results", type=Path, help="file for the results of seeds; default OUT/utd_mhad.json"
    )
    options = parser.parse_args(arguments)
    results: Path = options.results or options.out / "utd_mhad.json"
    for seed in options.seeds:
        measured = read_seeds(results)
        if seed not in {each.seed for each in measured}:
            write_seeds(results, [*measured, measure(seed, options)])
    print("\n".join(table(read_seeds(results))))


if __name__ == "__main__":
    main()
