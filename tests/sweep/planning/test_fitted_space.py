"""A fitted space reads its store, and its networks build on the clips."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.setup.trial_setup import open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.sweep.planning.fitted_space import fit_space
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_pyskl import annotation, write_pyskl


def custom_store(tmp_path: Path, *classes: str, clips: int = 6) -> ClipStore:
    for name in classes:
        for index in range(clips):
            write_custom_clip(tmp_path / "mine", f"{name}/{name}{index}")
    return prepared(tmp_path, "custom", tmp_path / "mine")


def prepared(tmp_path: Path, name: str, source: Path) -> ClipStore:
    reader = open_dataset(name, source=source)
    folder = tmp_path / "store"
    prepare_dataset(reader, source, folder, size_px=32, max_frames=4, num_workers=1)
    return ClipStore.open(folder)


def check_networks(text: str, store: ClipStore, tmp_path: Path) -> None:
    """Check that all variants of a space open and build on the store."""
    file = tmp_path / "fitted.toml"
    file.write_text(text)
    space = load_space(str(file))
    for flat in space.flat_params_by_network().values():
        trial = open_trial(
            space.config(flat, seed=0),
            clips=store,
            stages=StageStore(tmp_path / "stages"),
            callback=CallbackList(),
            device="cpu",
        )
        assert trial.check_network(space.search.levels, memory_bytes=None) > 0


def test_videos_of_the_users_own(tmp_path: Path) -> None:
    store = custom_store(tmp_path, "jump", "run", "sit", "wave")
    text = fit_space(store, "mine")
    values = tomllib.loads(text)
    assert (values["name"], values["dataset"], values["num_classes"]) == ("mine", "mine", 4)
    assert values["clips"] == {"num_frames": 4, "resize_px": 32, "crop_px": 28, "flip": False}
    assert values["recognizer"] == {"name": "inflated-resnet18", "width": 0.25}
    assert values["search"]["levels"] == 1
    assert [config["superclasses"] for config in values["initial"]] == [[2], [2]]
    assert [config["ratio"] for config in values["initial"]] == [0.1, 0.0]
    check_networks(text, store, tmp_path)


def test_poses_of_two_persons(tmp_path: Path) -> None:
    clips = [annotation(f"{label}{index}", label, num_frames=70) for label in (0, 1) for index in range(12)]
    for clip in clips:
        clip["keypoint"] = np.concatenate([clip["keypoint"][:1], clip["keypoint"][:1] + 5])
        clip["keypoint_score"] = np.full(clip["keypoint"].shape[:3], 0.9, dtype=np.float32)
    names = [clip["frame_dir"] for clip in clips]
    split = {"xsub_train": names[::2], "xsub_val": names[1::2]}
    write_pyskl(tmp_path / "poses.pkl", clips, split)
    store = prepared(tmp_path, "pyskl", tmp_path / "poses.pkl")
    text = fit_space(store, "poses")
    values = tomllib.loads(text)
    assert values["clips"] == {
        "input": "skeletons",
        "modality": "skeleton",
        "num_frames": 64,
        "num_persons": 2,
        "flip": True,
    }
    assert list(values["search"]["variants"])[-1] == "heatmaps"
    assert values["search"]["levels"] == 0  # two classes have no superclasses
    check_networks(text, store, tmp_path)


def test_a_protocol_and_its_validation_are_explained(tmp_path: Path, tiny_clips: ClipStore) -> None:
    text = fit_space(tiny_clips, "tiny")
    assert 'name = "cross-subject"  # or "cross-view"' in text
    assert 'validation = "auto"  # here folds, because' in text
    assert tomllib.loads(text)["initial"][0]["superclasses"] == [2]
    space_file = tmp_path / "tiny.toml"
    space_file.write_text(text)
    assert load_space(str(space_file)).config(FLAT_PARAMS, seed=0).num_classes == 6


def test_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a search needs at least two classes, but got jump"):
        fit_space(custom_store(tmp_path, "jump"), "mine")


def test_skeletons_of_videos_if_they_are_asked_for(tmp_path: Path) -> None:
    store = custom_store(tmp_path, "jump", "run", "sit", "wave")
    text = fit_space(store, "mine", "skeletons")
    values = tomllib.loads(text)
    assert values["clips"] == {
        "input": "skeletons",
        "modality": "rgb",
        "num_frames": 8,
        "num_persons": 1,
        "flip": False,
    }
    assert {"joint", "bone"} <= values["search"]["variants"].keys()
    # Few clips need a narrow network in every variant.
    assert values["recognizer"] == {"name": "tcn", "width": 0.25}
    assert values["search"]["variants"]["graph"]["recognizer"] == {"name": "st-gcn++", "width": 0.25}
    assert values["search"]["variants"]["heatmaps"]["clips"]["flip"] is False
    check_networks(text, store, tmp_path)


def test_what_networks_read_must_be_in_the_store(tmp_path: Path) -> None:
    without_poses = custom_store(tmp_path / "a", "jump", "run")
    for path in (tmp_path / "a" / "mine" / "poses").rglob("*.npz"):
        path.unlink()
    reader = open_dataset("custom", source=tmp_path / "a" / "mine")
    folder = tmp_path / "a" / "whole"
    prepare_dataset(
        reader,
        tmp_path / "a" / "mine",
        folder,
        size_px=32,
        max_frames=4,
        num_workers=1,
        without_skeleton="whole-frame",
    )
    with pytest.raises(InputError, match=r"--input skeletons needs clips with poses, but got none in"):
        fit_space(ClipStore.open(folder), "mine", "skeletons")
    assert without_poses.manifest.channels == 3
    rows = [annotation(f"{name}{index}", label) for label, name in enumerate("ab") for index in range(6)]
    names = [row["frame_dir"] for row in rows]
    write_pyskl(tmp_path / "poses.pkl", rows, {"xsub_train": names[::2], "xsub_val": names[1::2]})
    poses = prepared(tmp_path, "pyskl", tmp_path / "poses.pkl")
    with pytest.raises(InputError, match=r"--input frames needs clips with frames, but got skeletons alone"):
        fit_space(poses, "mine", "frames")
