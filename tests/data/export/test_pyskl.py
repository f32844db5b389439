"""Export to PYSKL: round trips are exact, and the file is readable by other tools."""

from __future__ import annotations

import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.export.pyskl import ExportSummary, export_pyskl, split_lists
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.store.reader import ClipStore
from autohier.data.store.table import ClipTable
from autohier.errors import InputError, MissingDataError
from support.command_line import Autohier
from support.sources.tiny_datasets import write_ntu_clip, write_utd_clip
from support.sources.tiny_pyskl import annotation, write_pyskl


def prepared(
    dataset: str, source: Path, folder: Path, *, modality: str = "skeleton", **options: Any
) -> ClipStore:
    reader = open_dataset(dataset, modality=modality, source=source)
    prepare_dataset(reader, source, folder, num_workers=1, **options)
    return ClipStore.open(folder)


def exported(store: ClipStore, path: Path) -> dict[str, Any]:
    export_pyskl(store, path)
    content: dict[str, Any] = pickle.loads(path.read_bytes())
    return content


def assert_same(one: ClipStore, other: ClipStore) -> None:
    assert one.clips.clip_id == other.clips.clip_id
    assert one.clips.label.tolist() == other.clips.label.tolist()
    assert one.clips.subject.tolist() == other.clips.subject.tolist()
    assert [set(parts) for parts in one.clips.parts] == [set(parts) for parts in other.clips.parts]
    assert one.manifest.joint_layout == other.manifest.joint_layout
    for row in range(len(one)):
        left, right = one.skeleton(row), other.skeleton(row)
        np.testing.assert_array_equal(left.joints_MTV3_m, right.joints_MTV3_m)
        np.testing.assert_array_equal(left.pixels_MTV2, right.pixels_MTV2)
        assert (left.image_width_px, left.image_height_px) == (right.image_width_px, right.image_height_px)
        assert (left.scores_MTV is None) == (right.scores_MTV is None)
        if left.scores_MTV is not None:
            np.testing.assert_array_equal(left.scores_MTV, right.scores_MTV)


def entries(num_joints: int) -> list[dict[str, Any]]:
    annotations = [
        annotation(name, 3 + label, num_joints=num_joints) for label, name in enumerate(("b", "a/x", "c"))
    ]
    annotations[0]["keypoint"] = np.concatenate(
        [annotations[0]["keypoint"], 0 * annotations[0]["keypoint"]]
    )  # one absent
    if "keypoint_score" in annotations[0]:
        annotations[0]["keypoint_score"] = np.concatenate([annotations[0]["keypoint_score"]] * 2)
    annotations[1]["keypoint"] = annotations[1]["keypoint"].astype(np.float32) + np.float32(
        0.1
    )  # not exact in float16
    annotations[2].pop("keypoint_score", None)
    return annotations


@pytest.mark.parametrize("num_joints", [17, 20, 25])
def test_a_round_trip_is_exact(tmp_path: Path, num_joints: int) -> None:
    split = {"xsub_train": ["b"], "xsub_test": ["c"], "train1": ["a/x"], "test1": ["b", "c"], "x_val": ["c"]}
    annotations = entries(num_joints)
    store = prepared("pyskl", write_pyskl(tmp_path / "one.pkl", annotations, split), tmp_path / "one")
    content = exported(store, tmp_path / "two.pkl")
    by_id = {entry["frame_dir"]: entry for entry in content["annotations"]}
    assert {name: set(ids) for name, ids in content["split"].items()} == {
        **{name: set(ids) for name, ids in split.items()},
        "x_train": {"a/x", "b"},  # derived counterpart of x_val
    }
    for entry in annotations:
        written = by_id[entry["frame_dir"]]
        assert written["label"] == entry["label"] - 3
        assert {
            name: written[name] for name in entry if name not in ("label", "keypoint", "keypoint_score")
        } == {name: entry[name] for name in entry if name not in ("label", "keypoint", "keypoint_score")}
        for name in ("keypoint", "keypoint_score"):
            assert (name in written) == (name in entry)
            if name in entry:
                assert written[name].dtype == entry[name].dtype
                assert written[name].flags.writeable
                np.testing.assert_array_equal(written[name], entry[name])
    assert_same(store, prepared("pyskl", tmp_path / "two.pkl", tmp_path / "two"))


@pytest.mark.realdata
@pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set")
def test_a_round_trip_of_a_real_file_is_exact(tmp_path: Path) -> None:
    path = Path(os.environ["AUTOHIER_DATA"]) / "pyskl-format-sample" / "custom_2d_poses.pkl"
    store = prepared("pyskl", path, tmp_path / "one")
    assert len(store) == 486
    assert store.manifest.class_names == tuple(f"class {label}" for label in range(1, 17))
    assert store.manifest.split_findings == ()
    original, content = pickle.loads(path.read_bytes()), exported(store, tmp_path / "two.pkl")
    assert {name: sorted(ids) for name, ids in original["split"].items()} == content["split"]
    for entry, written in zip(
        sorted(original["annotations"], key=lambda one: one["frame_dir"]), content["annotations"], strict=True
    ):
        assert (entry["frame_dir"], entry["label"] - 1) == (written["frame_dir"], written["label"])
        assert entry["img_shape"] == written["img_shape"]
        # The few joints with a score of at most 0.01 are absent, which is written as 0.
        is_present = (entry["keypoint_score"] > 0.01)[..., None]
        for name, values in (
            ("keypoint", entry["keypoint"] * is_present),
            ("keypoint_score", entry["keypoint_score"]),
        ):
            assert written[name].dtype == values.dtype
            np.testing.assert_array_equal(written[name], values)
    assert_same(store, prepared("pyskl", tmp_path / "two.pkl", tmp_path / "two"))


def test_kinects_joints_are_written_in_metres(tmp_path: Path) -> None:
    ids = [f"S001C00{camera}P00{subject}R001A001" for camera in (1, 2) for subject in (1, 3)]
    for clip_id in ids:
        write_ntu_clip(tmp_path / "source", clip_id)
    store = prepared("ntu60", tmp_path / "source", tmp_path / "store")
    content = exported(store, tmp_path / "x.pkl")
    # Subject 1 trains and 3 tests; cameras 2 and 3 train and 1 tests.
    assert content["split"] == {
        "xsub_train": [ids[0], ids[2]],
        "xsub_val": [ids[1], ids[3]],
        "xview_train": [ids[2], ids[3]],
        "xview_val": [ids[0], ids[1]],
    }
    for row, entry in enumerate(content["annotations"]):
        assert entry["keypoint"].dtype == np.float32
        np.testing.assert_array_equal(entry["keypoint"], np.nan_to_num(store.skeleton(row).joints_MTV3_m))
        assert set(entry) == {"frame_dir", "label", "total_frames", "keypoint"}
    again = prepared("pyskl", tmp_path / "x.pkl", tmp_path / "again")
    assert [rule.name for rule in again.manifest.protocols] == ["xsub", "xview"]
    assert again.clips.subject.tolist() == [1, 3, 1, 3]
    assert again.clips.camera.tolist() == [1, 1, 2, 2]


def test_joints_of_utd_mhad_are_written_in_kinects_order(tmp_path: Path) -> None:
    write_utd_clip(tmp_path / "source", "a1_s1_t1")
    store = prepared("utd-mhad", tmp_path / "source", tmp_path / "store")
    (entry,) = exported(store, tmp_path / "x.pkl")["annotations"]
    # UTD-MHAD: head, shoulder centre, spine, hip centre; Kinect: the reverse.
    joints = store.skeleton(0).joints_MTV3_m
    np.testing.assert_array_equal(entry["keypoint"][:, :, :4], joints[:, :, [3, 2, 1, 0]])
    np.testing.assert_array_equal(entry["keypoint"][:, :, 4:], joints[:, :, 4:])


def test_absent_joints_are_written_as_zero(tmp_path: Path) -> None:
    entry = annotation("a", 0)
    entry["keypoint"][0, 2, 3] = np.nan
    path = write_pyskl(tmp_path / "one.pkl", [entry], {"train": ["a"], "val": ["b"]})
    content = exported(prepared("pyskl", path, tmp_path / "one"), tmp_path / "two.pkl")
    assert content["annotations"][0]["keypoint"][0, 2, 3].tolist() == [0, 0]
    assert content["split"] == {"train": ["a"], "val": []}


def table(protocol_ids: dict[str, tuple[int, int, int, tuple[str, ...]]]) -> ClipTable:
    subject, camera, setup = (
        np.array([numbers[column] for numbers in protocol_ids.values()]) for column in range(3)
    )
    parts = tuple(numbers[3] for numbers in protocol_ids.values())
    return ClipTable(tuple(protocol_ids), 0 * subject, subject, camera, setup, 0 * subject + 1, parts)


def test_lists_have_pyskls_names() -> None:
    clips = table({"a": (1, 1, 2, ()), "b": (3, 2, 1, ())})
    assert split_lists(clips, PROTOCOLS["ntu120"]) == {
        "xsub_train": ["a"],
        "xsub_val": ["b"],
        "xset_train": ["a"],
        "xset_val": ["b"],
    }
    # Only views 1 and 2 are present: view 3 has no test clips.
    assert set(split_lists(clips, PROTOCOLS["n-ucla"])) == {
        "view1_train",
        "view1_val",
        "view2_train",
        "view2_val",
    }


def test_lists_of_a_dataset_keep_their_names() -> None:
    clips = table({"a": (1, 1, 1, ("train", "extra")), "b": (2, 1, 1, ("val",)), "c": (3, 1, 1, ())})
    rule = Protocol("gym99", "parts", ("train",), ("val",))
    assert split_lists(clips, [rule]) == {"train": ["a"], "val": ["b"], "extra": ["a"]}


def test_the_file_refers_only_to_names_of_every_numpy(tmp_path: Path) -> None:
    path = write_pyskl(
        tmp_path / "one.pkl", [annotation(name, 0) for name in "ab"], {"train": ["a"], "val": ["b"]}
    )
    store = prepared("pyskl", path, tmp_path / "one")
    export_pyskl(store, tmp_path / "two.pkl")
    first = (tmp_path / "two.pkl").read_bytes()
    steps = list(pickletools.genops(first))
    texts = {argument for _, argument, _ in steps if isinstance(argument, str)}
    assert {text for text in texts if "numpy" in text} == {"numpy"}
    assert max(step.proto for step, _, _ in steps) <= 4
    export_pyskl(store, tmp_path / "two.pkl")
    assert (tmp_path / "two.pkl").read_bytes() == first


def test_clips_without_a_skeleton_are_left_out(tmp_path: Path) -> None:
    for clip_id in ("S001C001P001R001A001", "S001C001P003R001A001", "S001C001P003R002A001"):
        write_ntu_clip(tmp_path / "source", clip_id)
    (tmp_path / "source" / "S001C001P003R002A001.skeleton").unlink()
    options: dict[str, Any] = {
        "modality": "rgb",
        "size_px": 16,
        "max_frames": 2,
        "without_skeleton": "whole-frame",
    }
    store = prepared("ntu60", tmp_path / "source", tmp_path / "store", **options)
    assert export_pyskl(store, tmp_path / "x.pkl") == ExportSummary(2, 1, {"xsub_train": 1, "xsub_val": 1})
    for path in (tmp_path / "source").glob("*.skeleton"):
        path.unlink()
    store = prepared("ntu60", tmp_path / "source", tmp_path / "empty", **options)
    with pytest.raises(
        MissingDataError, match=r"a store must contain skeletons to be exported, but got .*empty: prepare"
    ):
        export_pyskl(store, tmp_path / "y.pkl")


def test_a_failed_export_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pyskl(tmp_path / "one.pkl", [annotation("a", 0)], {"train": ["a"], "val": ["b"]})
    store = prepared("pyskl", path, tmp_path / "one")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("autohier.data.export.pyskl._Pickler.dump", fail)
    with pytest.raises(OSError, match="disk full"):
        export_pyskl(store, path)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "one.pkl"]
    with pytest.raises(InputError, match="a pickle must be written to a file, but got"):
        export_pyskl(store, tmp_path)


def test_the_commands_export_and_prepare_again(tmp_path: Path, autohier: Autohier) -> None:
    path = write_pyskl(
        tmp_path / "my_poses.pkl",
        [annotation(name, 0) for name in "abc"],
        {"train": ["a", "b"], "val": ["c"]},
    )
    data = ("--data", tmp_path / "data")
    done = autohier("prepare", "pyskl", "--source", path, "--workers", 1, *data)
    assert done.code == 0
    assert "my-poses-skeleton: 3 clips" in done.out
    done = autohier("export-pyskl", "my_poses", "--out", tmp_path / "out.pkl", *data)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{tmp_path / 'out.pkl'}: 3 clips, 0.0 MB\n  train: 2 clips\n  val: 1 clip\n"
    named = ("--source", tmp_path / "out.pkl", "--name", "mine")
    assert autohier("prepare", "pyskl", *named, "--workers", 1, *data).code == 0
    assert_same(
        ClipStore.open(tmp_path / "data" / "my-poses-skeleton"),
        ClipStore.open(tmp_path / "data" / "mine-skeleton"),
    )
    again = autohier("export-pyskl", "my_poses", "--out", tmp_path / "out.pkl", *data).error
    assert again.startswith("--out must name a file that does not exist")
    missing = autohier("export-pyskl", "none", "--out", tmp_path / "new.pkl", *data).error
    assert "none is not prepared" in missing
