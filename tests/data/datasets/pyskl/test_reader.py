"""PYSKL's pickles: annotations, labels, lists, errors, and that no code in them runs."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.formats.safe_pickle import load_plain
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import COCO_17, KINECT_V1_20, KINECT_V2_25
from autohier.data.store.reader import ClipStore
from autohier.errors import ClipError, InputError, MissingDataError
from support.sources.tiny_pyskl import SPLIT, annotation, open_pyskl, write_pyskl


@pytest.mark.parametrize("protocol", range(6))
def test_numbers_are_read_as_written_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    entry = annotation("a", np.int64(0), num_frames=2)  # type: ignore[arg-type]
    entry["keypoint"] = np.asfortranarray(np.arange(136, dtype=">f4").reshape(2, 2, 17, 2) / 8)
    entry["keypoint"][1] = 0  # PYSKL's mark of a missing person
    entry["keypoint_score"] = np.full((2, 2, 17), 0.375, dtype=np.float16)
    path = write_pyskl(
        tmp_path / "x.pkl", [entry], {"train": np.array(["a"]), "test": ["b"]}, protocol=protocol
    )
    reader = open_pyskl(path)
    (clip,) = reader.find_clips(path)
    skeleton = reader.read_skeleton(clip)
    assert skeleton.pixels_MTV2.dtype == np.float32
    assert (skeleton.num_persons, skeleton.num_visible_persons) == (2, 1)
    np.testing.assert_array_equal(skeleton.pixels_MTV2[0, :, 1:], entry["keypoint"][0, :, 1:])
    assert skeleton.pixels_MTV2[0, 1, 16].tolist() == [66 / 8, 67 / 8]
    assert np.isnan(skeleton.joints_MTV3_m).all()
    assert skeleton.scores_MTV is not None
    assert (skeleton.scores_MTV == 0.375).all()
    assert (skeleton.image_width_px, skeleton.image_height_px) == (1920, 1080)


@pytest.mark.parametrize(("num_joints", "layout"), [(25, KINECT_V2_25), (20, KINECT_V1_20), (17, COCO_17)])
def test_the_number_of_joints_decides_the_layout(tmp_path: Path, num_joints: int, layout: object) -> None:
    entry = annotation("a", 0, num_joints=num_joints)
    reader = open_pyskl(write_pyskl(tmp_path / "x.pkl", [entry], {"train": ["a"], "val": ["b"]}))
    assert reader.joint_layout == layout
    skeleton = reader.read_skeleton(reader.find_clips(tmp_path / "x.pkl")[0])
    values = skeleton.pixels_MTV2 if num_joints == 17 else skeleton.joints_MTV3_m
    np.testing.assert_array_equal(values, entry["keypoint"])


def test_the_name_is_that_of_the_file_or_given(path: Path) -> None:
    assert open_dataset("pyskl", source=path).name == "some-poses"
    assert open_dataset("pyskl", source=path, stored_as="My_Own").name == "my-own"
    for name, similar in (("../up", "up"), ("a/b", "a-b"), ("a b", "a-b"), (".hidden", "hidden")):
        with pytest.raises(InputError, match=rf"letters, digits, '-' and '\.', .*: write --name {similar}$"):
            open_dataset("pyskl", source=path, stored_as=name)
    with pytest.raises(InputError, match="must not have the name of a published dataset, but got 'ntu60'"):
        open_dataset("pyskl", source=path, stored_as="ntu60")


def test_labels_are_numbered_in_their_order(tmp_path: Path) -> None:
    entries = [annotation("a", 7), annotation("b", 1), annotation("c", 3)]
    path = write_pyskl(tmp_path / "x.pkl", entries, SPLIT)
    assert open_pyskl(path).class_names == ("class 1", "class 3", "class 7")
    assert [clip.label for clip in open_pyskl(path).find_clips(path)] == [2, 0, 1]


def test_clips_without_a_subject_cause_a_warning(path: Path) -> None:
    (warning,) = open_pyskl(path).warnings
    assert warning.text.startswith("the names of 3 of 3 clips contain no subject, e.g. a;")


ANNOTATION_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"label": "1"}, r"label must be a whole number from 0, but got '1'"),
    ({"label": True}, r"label must be a whole number from 0, but got True"),
    ({"label": -1}, r"label must be a whole number from 0, but got -1"),
    ({"total_frames": 5}, r"total_frames must be the number of frames of keypoint, but got 5, not 6"),
    ({"total_frames": np.array([6, 6])}, r"total_frames must be the number"),
    ({"total_frames": None}, r"total_frames must be the number .*, but got None, not 6"),
    ({"keypoint": np.zeros((1, 6, 17, 3))}, r"shape \(persons, frames, 17, 2\), but got \(1, 6, 17, 3\)"),
    ({"keypoint": np.zeros((1, 6, 25, 2))}, r"shape \(persons, frames, 17, 2\), but got \(1, 6, 25, 2\)"),
    ({"keypoint": np.zeros((6, 17, 2))}, r"shape \(persons, frames, 17, 2\), but got \(6, 17, 2\)"),
    ({"keypoint": np.zeros((1, 0, 17, 2))}, r"keypoint must contain a frame"),
    ({"keypoint": np.zeros((0, 6, 17, 2))}, r"a skeleton must contain a body"),
    ({"keypoint": np.full((1, 6, 17, 2), np.nan)}, r"a skeleton must contain a body"),
    ({"keypoint": np.full((1, 6, 17, 2), np.inf)}, r"a skeleton must contain a body"),
    ({"keypoint": [[1.0, 2.0]]}, r"keypoint must be an array of numbers, but got list"),
    ({"keypoint": np.zeros((1, 6, 17, 2), dtype="U1")}, r"must be an array of numbers, but got <U1"),
    ({"keypoint": None, "raw_file": "x.npy"}, r"must contain its keypoint, but got .* raw_file"),
    ({"keypoint_score": np.ones((1, 5, 17))}, r"of its keypoint, but got \(1, 5, 17\), not \(1, 6, 17\)"),
    ({"img_shape": (0, 5)}, r"img_shape must be a height and a width in pixels, but got \(0, 5\)"),
    ({"img_shape": "wide"}, r"img_shape must be a height and a width in pixels, but got 'wide'"),
    ({"frame_dir": "a"}, r"frame_dir must be a unique text, but got 'a'"),
    ({"frame_dir": 5}, r"frame_dir must be a unique text, but got 5"),
    ({"frame_dir": "\ud800"}, r"frame_dir must be a unique text"),
]


@pytest.mark.parametrize(
    ("fault", "reason"), ANNOTATION_FAULTS, ids=[reason for _, reason in ANNOTATION_FAULTS]
)
def test_a_bad_annotation_rejects_its_clip(tmp_path: Path, fault: dict[str, Any], reason: str) -> None:
    entries = [annotation("a", 0), annotation("b", 1), annotation("bad", 1) | fault]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a"], "val": ["b"]})
    reader = open_pyskl(path)
    clips = {clip.clip_id: clip for clip in reader.find_clips(path)}
    bad = clips.pop("annotation 2" if "frame_dir" in fault else "bad")
    with pytest.raises(ClipError, match=reason):
        reader.read_skeleton(bad)
    assert {name: reader.read_skeleton(clip).num_frames for name, clip in clips.items()} == {"a": 6, "b": 6}


def test_rejected_annotations_are_recorded_in_the_store(tmp_path: Path) -> None:
    entries = [annotation("a", 0), annotation("b", 1), annotation("c", 1) | {"total_frames": 9}]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a"], "val": ["b", "c"]})
    summary = prepare_dataset(open_pyskl(path), path, tmp_path / "store", num_workers=1)
    (row,) = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert (row["clip_id"], row["path"]) == ("c", str(path))
    assert row["reason"] == "total_frames must be the number of frames of keypoint, but got 9, not 6"
    assert summary.split_findings == (
        "x train-val has 1 train / 1 test clips; listed are 1 / 2 (clips in the lists)",
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.clips.parts == (("train",), ("val",))
    assert store.manifest.protocols == open_pyskl(path).protocols


def test_worker_processes_prepare_clips(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autohier.data.prepare.pipeline.SHARD_CLIPS", 1)
    summary = prepare_dataset(open_pyskl(path), path, tmp_path / "store", num_workers=2)
    assert (summary.num_clips, summary.num_rejected) == (3, 0)


def test_a_worker_receives_only_the_annotations_of_its_clips(tmp_path: Path) -> None:
    entries = [annotation(f"clip {number:02}", 4, num_frames=40) for number in range(20)]
    split = {"train": [entry["frame_dir"] for entry in entries[:10]]}
    path = write_pyskl(tmp_path / "x.pkl", entries, split)
    reader = open_pyskl(path)
    clips = reader.find_clips(path)
    sent = pickle.dumps((reader, clips[7]))
    # A tenth of 20 annotations of equal size is two.
    assert len(sent) < path.stat().st_size / 10
    path.unlink()
    reader, clip = pickle.loads(sent)
    np.testing.assert_array_equal(reader.read_skeleton(clip).pixels_MTV2, entries[7]["keypoint"])
    with pytest.raises(ClipError, match="must have a skeleton file with its annotation, but got clip 07"):
        reader.read_skeleton(replace(clip, entry=None))


def test_a_file_is_read_once_until_it_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []

    def load(source: Path) -> object:
        loads.append(source)
        return load_plain(source)

    monkeypatch.setattr("autohier.data.datasets.pyskl.file.load_plain", load)
    reader = open_pyskl(path)
    for clip in reader.find_clips(path):
        reader.read_skeleton(clip)
    assert len(loads) == 1
    write_pyskl(path, [annotation(name, 4) for name in "abc"], SPLIT, note="later")
    reader.find_clips(path)
    assert len(loads) == 2


def test_a_changed_label_is_prepared_again(path: Path, tmp_path: Path) -> None:
    prepare_dataset(open_pyskl(path), path, tmp_path / "store", num_workers=1)
    write_pyskl(path, [annotation(name, label) for name, label in zip("abc", (4, 5, 4), strict=True)], SPLIT)
    prepare_dataset(open_pyskl(path), path, tmp_path / "store", num_workers=1)
    assert ClipStore.open(tmp_path / "store").clips.label.tolist() == [0, 1, 0]


def test_joints_that_are_not_finite_are_absent(tmp_path: Path) -> None:
    entry = annotation("a", 0)
    entry["keypoint"][0, 0, 3] = np.nan, 5
    entry["keypoint"][0, 1, 4] = np.inf, 5
    entry["keypoint_score"][0, 2, 5] = np.nan
    del entry["img_shape"], entry["original_shape"]
    entry["keypoint"][0, 5, 0] = 1300, 1100.5
    path = write_pyskl(tmp_path / "x.pkl", [entry], {"train": ["a"], "val": ["b"]})
    skeleton = open_pyskl(path).read_skeleton(open_pyskl(path).find_clips(path)[0])
    assert np.argwhere(np.isnan(skeleton.pixels_MTV2).any(axis=-1)).tolist() == [
        *([0, 0, 3], [0, 1, 4], [0, 2, 5]),
    ]
    assert skeleton.scores_MTV is not None
    assert skeleton.scores_MTV[0, 2, 5] == 0
    # In float16 the outermost pixel (1300, 1100.5) is (1300, 1100): columns 0..1300.
    assert (skeleton.image_width_px, skeleton.image_height_px) == (1301, 1101)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "must be a dict of annotations and split, but got list"),
        ({"split": {}}, r"must be a dict of annotations and split, but got keys \['split'\]"),
        ({"split": {}, "annotations": {}}, "annotations of a PYSKL file must be a list of dicts"),
        ({"split": {}, "annotations": [1]}, "annotations of a PYSKL file must be a list of dicts"),
        ({"split": [], "annotations": [annotation("a", 0)]}, "split of a PYSKL file must be a dict of lists"),
        (
            {"split": {"train": "a"}, "annotations": [annotation("a", 0)]},
            "list train .* must contain frame_dirs",
        ),
        (
            {"split": {"train": [1]}, "annotations": [annotation("a", 0)]},
            "list train .* must contain frame_dirs",
        ),
        (
            {"split": SPLIT, "annotations": [annotation("a", 0) | {"keypoint": np.zeros((1, 6, 13, 2))}]},
            "keypoints must have 17 joints in 2 coordinates, .* but got 13 joints in 2",
        ),
    ],
)
def test_other_formats_are_refused(tmp_path: Path, content: object, reason: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=reason):
        open_pyskl(path)


def test_a_file_without_keypoints_or_labels_is_refused(tmp_path: Path) -> None:
    entries = [{"frame_dir": "a", "label": 0, "total_frames": 3, "raw_file": "a.npy"}]
    with pytest.raises(MissingDataError, match=r"an annotation with a keypoint .*, but got none in 1"):
        open_pyskl(write_pyskl(tmp_path / "x.pkl", entries, SPLIT))


@pytest.mark.parametrize("label", [None, "wave", 1.0])
def test_labels_are_whole_numbers(tmp_path: Path, label: object) -> None:
    entry = annotation("a", 0) | {"label": label}
    text = f"label must be a whole number from 0, but got {label!r}: number the classes"
    with pytest.raises(MissingDataError, match=re.escape(text)):
        open_pyskl(write_pyskl(tmp_path / "y.pkl", [entry], SPLIT))


@pytest.mark.parametrize(
    ("keypoint", "reason"),
    [
        (np.zeros((6, 17, 2)), r"but got an array of shape \(6, 17, 2\): .* keypoint\[None\]$"),
        (np.zeros((6, 34)), r"but got an array of shape \(6, 34\): see PYSKL's"),
        (np.zeros((1, 6, 17, 2)).tolist(), "but got a list: write it as a NumPy array of numbers$"),
    ],
)
def test_keypoints_of_another_form_are_reported(tmp_path: Path, keypoint: object, reason: str) -> None:
    entry = annotation("a", 0) | {"keypoint": keypoint}
    with pytest.raises(MissingDataError, match=reason):
        open_pyskl(write_pyskl(tmp_path / "x.pkl", [entry], SPLIT))


def test_an_annotation_must_contain_total_frames(tmp_path: Path) -> None:
    entry = annotation("a", 0)
    del entry["total_frames"]
    path = write_pyskl(tmp_path / "x.pkl", [entry], SPLIT)
    with pytest.raises(
        ClipError, match=r"must contain total_frames, .* keypoint: set it to keypoint\.shape\[1\]$"
    ):
        open_pyskl(path).read_skeleton(open_pyskl(path).find_clips(path)[0])


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MissingDataError, match=r"the dataset pyskl needs a source file: add --source FILE\.pkl"
    ):
        open_dataset("pyskl")
    with pytest.raises(MissingDataError, match="the source must be a pickle file"):
        open_pyskl(tmp_path)
    with pytest.raises(MissingDataError, match="the source must be a pickle file"):
        open_pyskl(tmp_path / "none.pkl")
    link = tmp_path / "link.pkl"
    link.symlink_to(link)
    with pytest.raises(MissingDataError, match="the source must be a pickle file"):
        open_pyskl(link)


@pytest.mark.parametrize("split", [None, {}])
def test_without_lists_every_second_subject_in_the_ids_tests(tmp_path: Path, split: object) -> None:
    ids = [f"s{subject:02}_e{take:02}_walk" for subject in (1, 2, 4) for take in (1, 2)]
    path = write_pyskl(tmp_path / "x.pkl", [annotation(name, 0) for name in ids], split)
    reader = open_pyskl(path)
    (rule,) = reader.protocols
    assert (rule.name, rule.column, rule.train, rule.test) == ("cross-subject", "subject", (1, 4), (2,))
    assert [(clip.subject, clip.parts) for clip in reader.find_clips(path)] == [
        *((1, ()), (1, ()), (2, ()), (2, ()), (4, ()), (4, ())),
    ]
    assert reader.warnings == ()


def test_without_lists_and_subjects_a_fifth_of_each_class_tests(tmp_path: Path) -> None:
    entries = [annotation(f"clip {number}", number % 2) for number in range(20)]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"annotations": [*entries, annotation("clip 0", 1)]}))
    reader = open_pyskl(path)
    assert [(rule.name, rule.test) for rule in reader.protocols] == [("random", ("test",))]
    clips = reader.find_clips(path)
    tests = [clip.label for clip in clips if clip.parts == ("test",)]
    assert sorted(tests) == [0, 0, 1, 1]  # 2 of 10 each
    assert [clip.parts for clip in clips if clip.clip_id.startswith("annotation")] == [()]
    assert "contain no subject" in reader.warnings[0].text
