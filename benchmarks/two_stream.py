"""Joint training against late fusion on real data: depth clips and skeletons of UTD-MHAD, cross-subject.

The joint network is the recognizer two-stream of the space utd_mhad_two_stream: an inflated ResNet on depth
clips and ST-GCN++ on skeletons, whose losses are added and whose probabilities are averaged. Late fusion
averages the probabilities of the same two networks, trained alone. Widths, epochs, clips, superclass counts
and learning rates are equal, and nothing is pruned.

For every seed, one of the four training subjects validates; seeds take turns. Each network trains on the
other three, and is evaluated once on the four test subjects. No choice depends on the test clips: averages
have equal weights, or those that make the validation clips likeliest (`likeliest_weights`).

two_stream_table.py explains the printed table. If the benchmark is started again, finished stages and seeds
are reused.

    autohier prepare utd-mhad --source UTD-MHAD --modality depth --size 64
    python benchmarks/two_stream.py                           # 40 minutes of one core
    python benchmarks/two_stream.py --seeds 0 --set pass_1.epochs=2 --set pass_2.epochs=1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from two_stream_table import Seed, read_seeds, table, write_seeds

from autohier.config.search.loading import load_params, load_space
from autohier.core.late_fusion import average, likeliest_weights, share_clips
from autohier.core.prediction import predict_test, predict_validation
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import Predictions
from autohier.core.trial import run_trial
from autohier.data.store.reader import ClipStore
from autohier.machine import usable_cores

_SPACE = "utd_mhad_two_stream"
_SUBJECTS = (1, 3, 5, 7)
"""Training subjects of the cross-subject protocol."""
_FRAMES = "modality='depth', num_frames=8, resize_px=56, crop_px=48, min_scale=0.75"
_SKELETONS = "num_persons=1, rotation_degrees=17, scaling=0.1"
_CLIPS = "flip=false, test_sets=2"
_NETWORKS = {
    "joint": (
        f"clips={{input='frames+skeletons', {_FRAMES}, {_SKELETONS}, {_CLIPS}, num_skeleton_frames=16}}",
        "recognizer={name='two-stream', depth=18, width=0.125, skeleton_width=0.25}",
    ),
    "frames": (
        f"clips={{input='frames', {_FRAMES}, {_CLIPS}}}",
        "recognizer={name='inflated-resnet18', width=0.125}",
    ),
    "skeletons": (
        f"clips={{input='skeletons', modality='depth', {_SKELETONS}, {_CLIPS}, num_frames=16}}",
        "recognizer={name='st-gcn++', width=0.25}",
    ),
}
"""Overrides of the space, by network; the skeletons are those of the depth clips."""
_TRAINING = ("pass_1.epochs=16", "pass_2.epochs=8", "protocol.validation=clean")


def open_network(name: str, seed: int, options: argparse.Namespace) -> TrialSetup:
    """Open the trial of one network: without pruning, with the superclasses of the space."""
    held_out = _SUBJECTS[seed % len(_SUBJECTS)]
    overrides = [*_NETWORKS[name], *_TRAINING, f"protocol.held_out=[{held_out}]", *options.overrides]
    space = load_space(_SPACE, overrides)
    return open_trial(
        space.config(load_params(space, ["passes=0", "ratio=0.0"]), seed=seed),
        clips=ClipStore.open(options.data / "utd-mhad-depth"),
        stages=StageStore(options.out / "stages"),
        callback=TrialCallback(),
        device="cpu",
        num_threads=options.threads,
    )


def train(name: str, seed: int, options: argparse.Namespace) -> dict[str, Predictions]:
    """Train a network, and return its predictions of validation and test clips."""
    started = time.monotonic()
    trial = open_network(name, seed, options)
    kept = run_trial(trial, keeps_last=True).kept
    predictions = {
        "validation": predict_validation(trial, kept),
        "test": predict_test(trial, kept, refitted=False),
    }
    minutes = (time.monotonic() - started) / 60
    print(f"seed {seed}: {name}, validation accuracy {kept.accuracy:.2%}, {minutes:.1f} min", flush=True)
    return predictions


def measure(seed: int, options: argparse.Namespace) -> Seed:
    """Train the three networks of a seed, and compare them on the test clips."""
    started = time.monotonic()
    joint = train("joint", seed, options)
    alone = [train(name, seed, options) for name in ("frames", "skeletons")]
    arms = {
        "joint": {part: _pathways(read) for part, read in joint.items()},
        "late": {part: [each[part] for each in alone] for part in joint},
    }
    weights = {name: likeliest_weights(share_clips(arm["validation"])) for name, arm in arms.items()}
    tested = {name: arm["test"] for name, arm in arms.items()}
    models = {
        "joint": joint["test"],
        "late": average(tested["late"], (1, 1)),
        "joint, weighted": average(tested["joint"], weights["joint"]),
        "late, weighted": average(tested["late"], weights["late"]),
        "joint's frames": tested["joint"][0],
        "joint's skeletons": tested["joint"][1],
        "frames alone": tested["late"][0],
        "skeletons alone": tested["late"][1],
    }
    clip_ids = joint["test"].clip_ids
    right = {name: tuple(each.of(clip_ids).is_right.astype(int).tolist()) for name, each in models.items()}
    return Seed(
        seed, (time.monotonic() - started) / 60, _SUBJECTS[seed % len(_SUBJECTS)], weights, clip_ids, right
    )


def _pathways(joint: Predictions) -> list[Predictions]:
    """Return the predictions of frames and of skeletons alone."""
    return [Predictions(joint.clip_ids, joint.labels_N, own_NK) for own_NK in joint.pathways.values()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("sweeps"))
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="NAME=VALUE")
    parser.add_argument("--results", type=Path, help="file of results; default OUT/two_stream.json")
    options = parser.parse_args(arguments)
    results: Path = options.results or options.out / "two_stream.json"
    for seed in options.seeds:
        measured = read_seeds(results)
        if seed not in {each.seed for each in measured}:
            write_seeds(results, [*measured, measure(seed, options)])
    print("\n".join(table(read_seeds(results))))


if __name__ == "__main__":
    main()
