"""Shipped search spaces of skeletons, run by commands on small files in the layouts of their datasets."""

from pathlib import Path

import numpy as np
import pytest

from support.command_line import Autohier
from support.sources.tiny_pyskl import annotation, write_pyskl
from support.sources.tiny_ucla import LABELS, write_ucla_json

SUBJECTS, VIEWS = (1, 2, 3, 4), (1, 2, 3)
SMALL = ("clips.num_frames=4", "clips.test_sets=1", "recognizer.width=0.125", "optimisation.batch_size=40")
SHORT = tuple(f"{stage}.epochs=1" for stage in ("pass_1", "pass_2", "pruning"))


def changed(*overrides: str) -> tuple[str, ...]:
    """Return overrides as command-line arguments."""
    return tuple(part for each in overrides for part in ("--set", each))


@pytest.fixture
def ucla(autohier: Autohier, tmp_path: Path) -> Path:
    """Prepare small skeletons of N-UCLA, and return the data folder."""
    for action in LABELS:
        for subject in SUBJECTS:
            for view in VIEWS:
                write_ucla_json(tmp_path / "source", f"a{action:02}_s{subject:02}_e00_v{view:02}")
    where = ("--source", tmp_path / "source", "--data", tmp_path / "data", "--workers", 1)
    assert autohier("prepare", "n-ucla", "--modality", "skeleton", *where).code == 0
    return tmp_path / "data"


def test_n_ucla_is_cross_validated_over_subjects_and_tested_on_one_view(
    autohier: Autohier, ucla: Path
) -> None:
    # Two views of 10 actions by 4 subjects train, one subject is held out; the third view tests.
    splits = [
        f"clips: 60 train, 20 validation (held-out subjects {subject}), 40 test" for subject in SUBJECTS
    ]
    for view in VIEWS:
        ended = autohier("check", "n_ucla_skeleton", "--data", ucla, *changed(f"protocol.name=view{view}"))
        assert sorted(ended.out.splitlines()[-4:]) == splits


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["joint", "graph-joint"])
def test_a_trial_on_n_ucla_skeletons_is_trained_and_tested(
    autohier: Autohier, ucla: Path, variant: str
) -> None:
    options = changed(f"variant={variant}", "passes=1", *SMALL, *SHORT)
    where = ("--data", ucla, "--out", ucla.parent / "out", "--threads", 1, "--device", "cpu")
    ended = autohier("train", "n_ucla_skeleton", "--test", *where, *options)
    assert ended.code == 0
    assert "of 40 clips" in ended.out.splitlines()[-3]


def test_clips_with_more_persons_than_are_read_are_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    names = [f"S001C001P{subject:03}R001A{action:03}" for subject in range(1, 9) for action in range(1, 5)]
    annotations = [annotation(name, label=int(name[-1]) - 1) for name in names]
    for entry in annotations[:3]:
        for part in ("keypoint", "keypoint_score"):
            entry[part] = np.concatenate([entry[part], entry[part]])
    # A person whose joints are all missing does not count.
    annotations[3]["keypoint"] = np.concatenate([annotations[3]["keypoint"], 0 * annotations[3]["keypoint"]])
    annotations[3]["keypoint_score"] = np.repeat(annotations[3]["keypoint_score"], 2, axis=0)
    write_pyskl(tmp_path / "own.pkl", annotations, {"xsub_train": names[:24], "xsub_val": names[24:]})
    where = ("--data", tmp_path, "--source", tmp_path / "own.pkl", "--name", "own")
    assert autohier("prepare", "pyskl", *where).code == 0
    own = (
        "dataset=own",
        "num_classes=4",
        "initial=[]",
        "protocol.name=xsub",
        "search.levels=1",
        "clips.num_frames=6",
    )
    out = autohier("check", "utd_mhad_skeleton", "--data", tmp_path, *changed(*own)).out
    warning = "WARNING: 3 of 32 inspected clips show more than 1 person, up to 2; clips.num_persons reads 1"
    assert f"{warning}\n  fix: --set clips.num_persons=2, unless the other persons are irrelevant" in out
    both = autohier("check", "utd_mhad_skeleton", "--data", tmp_path, *changed(*own, "clips.num_persons=2"))
    assert both.code == 0
    assert "WARNING" not in both.out


def test_many_validation_subjects_are_counted(autohier: Autohier, tmp_path: Path) -> None:
    names = [f"clip{index:03}" for index in range(80)]
    annotations = [annotation(name, label=index % 4) for index, name in enumerate(names)]
    write_pyskl(tmp_path / "own.pkl", annotations, {"xsub_train": names[:64], "xsub_val": names[64:]})
    where = ("--data", tmp_path, "--source", tmp_path / "own.pkl", "--name", "own")
    assert autohier("prepare", "pyskl", *where).code == 0
    own = changed(
        "dataset=own",
        "num_classes=4",
        "initial=[]",
        "protocol.name=xsub",
        "search.levels=1",
        "clips.num_frames=6",
    )
    ended = autohier("check", "utd_mhad_skeleton", "--data", tmp_path, *own)
    assert "clips: 48 train, 16 validation (held-out subjects 1 to " in ended.out
