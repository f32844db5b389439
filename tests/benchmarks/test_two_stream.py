"""The benchmark of joint training against late fusion, on predictions made by hand."""

from __future__ import annotations

import argparse
from types import ModuleType

import numpy as np
import pytest

from autohier.config.search.loading import load_space
from autohier.core.training.metrics import Predictions
from support.benchmark_modules import load_benchmark

CLIPS = ("a1_s2_t1", "a1_s2_t2", "a2_s2_t1", "a2_s2_t2")
LABELS = np.array([0, 0, 1, 1])


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("two_stream")


def predictions(own: list[float], pathways: dict[str, list[float]] | None = None) -> Predictions:
    """Return predictions by the probability that each clip's own class gets, of two classes."""

    def probabilities(shares: list[float]) -> np.ndarray:
        own_N = np.array(shares, dtype=np.float32)
        first_N = np.where(LABELS == 0, own_N, 1 - own_N)
        return np.stack([first_N, 1 - first_N], axis=1)

    parts = {name: probabilities(shares) for name, shares in (pathways or {}).items()}
    return Predictions(CLIPS, LABELS, probabilities(own), pathways=parts)


def test_each_model_has_the_clips_that_it_gets_right(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, skeletons = [0.9, 0.2, 0.2, 0.1], [0.4, 0.9, 0.7, 0.3]
    # Their means are 0.65, 0.55, 0.45 and 0.2.
    both = predictions([0.65, 0.55, 0.45, 0.2], {"frames": frames, "skeletons": skeletons})
    made = {"joint": both, "frames": predictions(frames), "skeletons": predictions([0.4, 0.9, 0.9, 0.3])}
    # On the validation clips, frames are always better, so that all weight is theirs.
    sure = predictions([0.9] * 4, {"frames": [0.9] * 4, "skeletons": [0.2] * 4})
    validated = {"joint": sure, "frames": predictions([0.9] * 4), "skeletons": predictions([0.2] * 4)}
    monkeypatch.setattr(
        benchmark, "train", lambda name, *_: {"validation": validated[name], "test": made[name]}
    )
    seed = benchmark.measure(5, argparse.Namespace())
    assert seed.held_out == 3
    assert seed.weights["joint"] == pytest.approx((1, 0), abs=1e-3)
    assert seed.right == {
        "joint": (1, 1, 0, 0),
        "late": (1, 1, 1, 0),
        "joint, weighted": (1, 0, 0, 0),
        "late, weighted": (1, 0, 0, 0),
        "joint's frames": (1, 0, 0, 0),
        "joint's skeletons": (0, 1, 1, 0),
        "frames alone": (1, 0, 0, 0),
        "skeletons alone": (0, 1, 1, 0),
    }


def test_the_networks_have_equal_widths_clips_and_epochs(benchmark: ModuleType) -> None:
    spaces = {
        name: load_space(benchmark._SPACE, [*own, *benchmark._TRAINING])
        for name, own in benchmark._NETWORKS.items()
    }
    joint, frames, skeletons = (spaces[name] for name in ("joint", "frames", "skeletons"))
    assert joint.recognizer.options()["width"] == frames.recognizer.options()["width"]
    assert joint.recognizer.options()["skeleton_width"] == skeletons.recognizer.options()["width"]
    alone = frames.clips.options()
    assert alone == {name: joint.clips.options()[name] for name in alone}
    bones = skeletons.clips.options()
    assert bones.pop("sampling") == "segments"  # the only one next to frames
    shared = joint.clips.options() | {"num_frames": joint.clips.options()["num_skeleton_frames"]}
    assert bones == {name: shared[name] for name in bones}
    for name in ("optimisation", "pass_1", "pass_2", "protocol", "initial"):
        assert len({repr(getattr(space, name)) for space in spaces.values()}) == 1
    assert len({space.clips.test_sets for space in spaces.values()}) == 1


def test_the_table_has_paired_differences(benchmark: ModuleType) -> None:
    names = (
        "joint", "late", "joint, weighted", "late, weighted",
        "joint's frames", "joint's skeletons", "frames alone", "skeletons alone",
    )  # fmt: skip
    weights = {"joint": (0.25, 0.75), "late": (0.5, 0.5)}

    def seed(number: int, joint: tuple[int, ...], late: tuple[int, ...]) -> object:
        right = dict.fromkeys(names, (0, 0, 0, 0)) | {"joint": joint, "late": late}
        return benchmark.Seed(number, 2.0, 1, weights, CLIPS, right)

    # Differences of 50 and 0 points: mean 25, and 25 +- 12.7062 * 35.36 / sqrt(2) over two seeds.
    lines = benchmark.table([seed(0, (1, 1, 1, 0), (1, 0, 0, 0)), seed(1, (1, 0, 0, 0), (1, 0, 0, 0))])
    assert lines[0].startswith("seed 0: joint 75.0%, late 25.0%, ")
    assert lines[0].endswith("weight of frames: joint 0.25, late 0.50; subject 1 validates; 2 min")
    (line,) = [line for line in lines if line.startswith("joint against late: ")]
    assert line.startswith("joint against late: +25.00 points, 95% interval over seeds -292.66 to +342.66, ")
    assert line.endswith("; better in 1 of 2 seeds")
