"""Published text skeletons without videos: MSR-Action3D and UTKinect-Action3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.base import ClipSource, DatasetReader
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.reader import ClipStore
from autohier.errors import ClipError, InputError, MissingDataError
from support.command_line import Autohier
from support.sources.tiny_skeletons import write_msr_clip, write_utkinect_take

LABELS = (
    "s01_e01\nwalk: 10 14\nsitDown: 16 18 \n\ns02_e02\nwalk: 10 12\nsitDown: NaN NaN\ns03_e01\nwalk: 1 2\n"
)


def opened(source: Path, pattern: str | None = None) -> tuple[DatasetReader, list[ClipSource]]:
    reader = open_dataset("custom", modality="skeleton", source=source, subject_pattern=pattern)
    return reader, reader.find_clips(source)


def utkinect(source: Path) -> Path:
    write_utkinect_take(source / "joints", "s01_e01", np.array([10, 12, 12, 14, 16, 18]))
    write_utkinect_take(source / "joints", "s02_e02", np.array([10, 12, 14]))
    write_utkinect_take(source / "joints", "s04_e01", np.array([10]))
    (source / "actionLabel.txt").write_text(LABELS)
    return source


def test_names_of_msr_files_give_classes_and_subjects(tmp_path: Path) -> None:
    for clip_id in ("a02_s02_e01", "A01_S03_E02", "a01_s01_e01", "a21_s04_e01"):
        write_msr_clip(tmp_path / "part", clip_id, in_space=True)
    reader, clips = opened(tmp_path)
    assert reader.class_names == ("high arm wave", "horizontal arm wave", "action 21")
    assert [(clip.clip_id, clip.label, clip.subject, clip.replication) for clip in clips] == [
        ("a01_s01_e01", 0, 1, 1),
        ("a01_s03_e02", 0, 3, 2),
        ("a02_s02_e01", 1, 2, 1),
        ("a21_s04_e01", 2, 4, 1),
    ]
    (rule,) = reader.protocols
    assert (rule.name, rule.train, rule.test) == ("cross-subject", (1, 3), (2, 4))


def test_odd_subjects_train_also_if_others_are_missing(tmp_path: Path) -> None:
    for subject in (2, 3, 4):
        write_msr_clip(tmp_path, f"a01_s{subject:02}_e01")
    (rule,) = opened(tmp_path)[0].protocols
    assert (rule.train, rule.test) == ((3,), (2, 4))
    (tmp_path / "a01_s03_e01_skeleton.txt").unlink()
    (rule,) = opened(tmp_path)[0].protocols
    assert (rule.train, rule.test) == ((2,), (4,))
    (rule,) = opened(tmp_path, r"_e(\d+)$")[0].protocols
    assert rule.name == "random"


def test_rows_are_the_joints_of_frames(tmp_path: Path) -> None:
    rows = np.arange(2 * 20 * 4, dtype=np.float64).reshape(40, 4) / 100 + 0.005
    rows[:, 3] = 1
    rows[25, 3] = 0  # joint 5 of frame 1 was not found
    np.savetxt(tmp_path / "a01_s01_e01_skeleton3D.txt", rows)
    reader, (clip,) = opened(tmp_path)
    assert reader.joint_layout.name == "msr-20"
    skeleton = reader.read_skeleton(clip)
    assert skeleton.joints_MTV3_m.shape == (1, 2, 20, 3)
    # Row 21 is joint 1 of frame 1: numbers 84, 85 and 86.
    np.testing.assert_allclose(skeleton.joints_MTV3_m[0, 1, 1], [0.845, 0.855, 0.865])
    assert np.isnan(skeleton.joints_MTV3_m[0, 1, 5]).all()
    assert np.isnan(skeleton.pixels_MTV2).all()


def test_screen_coordinates_are_pixels_of_the_depth_image(tmp_path: Path) -> None:
    rows = np.full((20, 4), 7.0)
    rows[0] = 150, 90, 2000, 0
    rows[:, 3] = 0  # a file without confidences
    np.savetxt(tmp_path / "a01_s01_e01_skeleton.txt", rows)
    reader, (clip,) = opened(tmp_path)
    skeleton = reader.read_skeleton(clip)
    assert reader.joint_layout.planar
    assert (skeleton.image_width_px, skeleton.image_height_px) == (320, 240)
    assert skeleton.pixels_MTV2[0, 0, 0].tolist() == [150, 90]
    assert skeleton.scores_MTV is None


def test_skeletons_in_space_have_precedence(tmp_path: Path) -> None:
    write_msr_clip(tmp_path, "a01_s01_e01")
    write_msr_clip(tmp_path, "a01_s02_e01")
    path = write_msr_clip(tmp_path, "a01_s01_e01", in_space=True)
    reader, (clip,) = opened(tmp_path)
    assert clip.skeleton_path == path
    assert reader.warnings[0].text == (
        "1 clips have skeletons in the image only and are skipped, e.g. a01_s02_e01"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must contain a frame"),
        ("1 2 3 1\n" * 21, "20 rows per frame, but got 21 rows"),
        ("1 2 3 1\n1 2 3\n", "must hold 4 numbers, but got 3 in line 2"),
        ("1 2 x 1\n" * 20, "must hold numbers, but got line 1"),
        ("0 0 0 0\n" * 20, "must contain a body"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a01_s01_e01_skeleton3D.txt").write_text(text)
    reader, (clip,) = opened(tmp_path)
    with pytest.raises(ClipError, match=message):
        reader.read_skeleton(clip)


def test_actions_of_utkinect_are_spans_of_its_files(tmp_path: Path) -> None:
    reader, clips = opened(utkinect(tmp_path))
    assert reader.class_names == ("walk", "sitDown")
    assert reader.joint_layout.name == "kinect-v1-20"
    assert [(clip.clip_id, clip.label, clip.subject, clip.replication) for clip in clips] == [
        ("s01_e01_sitDown", 1, 1, 1),
        ("s01_e01_walk", 0, 1, 1),
        ("s02_e02_walk", 0, 2, 2),
    ]
    assert [reader.read_skeleton(clip).num_frames for clip in clips] == [2, 3, 2]
    row = np.loadtxt(tmp_path / "joints" / "joints_s01_e01.txt")[4]  # frame 16, the first of sitDown
    joints_V3 = reader.read_skeleton(clips[0]).joints_MTV3_m[0, 0]
    np.testing.assert_allclose(joints_V3.reshape(-1), row[1:], rtol=1e-6)
    texts = [warning.text for warning in reader.warnings]
    assert texts == [
        "actionLabel.txt gives no frames of 1 clips, which are skipped, e.g. s02_e02_sitDown",
        "actionLabel.txt does not list 1 files, which are skipped, e.g. s04_e01",
        "1 takes in actionLabel.txt have no skeleton file, e.g. joints_s03_e01.txt",
    ]
    assert (reader.protocols[0].train, reader.protocols[0].test) == ((1,), (2,))


def test_a_span_without_frames_is_refused_and_its_content_counts(tmp_path: Path) -> None:
    utkinect(tmp_path)
    reader, clips = opened(tmp_path)
    assert clips[0].entry is not None
    assert clips[1].entry is not None
    before = clips[0].entry.digest()
    assert before != clips[1].entry.digest()
    write_utkinect_take(tmp_path / "joints", "s01_e01", np.array([1, 2]))
    assert clips[0].entry.digest() != before
    with pytest.raises(ClipError, match="must contain frames 16 to 18 of its clip, but got frames 1 to 2"):
        reader.read_skeleton(clips[0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("walk: 1 2", "line 1 must give the frames of an action, but got walk: 1 2"),
        ("s01_e01\nwalk 1 2", "line 2 must give the frames of an action, but got walk 1 2"),
        ("s01_e01\nwalk: 1 2\nwalk: 3 4", "line 3 must give .*walk: 3 4, a second time"),
        ("s09_e01\nwalk: 1 2", "must give the frames of actions in the skeleton files"),
    ],
)
def test_malformed_labels_are_refused(tmp_path: Path, labels: str, message: str) -> None:
    (utkinect(tmp_path) / "actionLabel.txt").write_text(labels)
    with pytest.raises(InputError, match=message):
        opened(tmp_path)


def test_missing_labels_and_a_missing_option_are_named(tmp_path: Path) -> None:
    (utkinect(tmp_path) / "actionLabel.txt").unlink()
    with pytest.raises(InputError, match=r"need actionLabel.txt"):
        opened(tmp_path)
    with pytest.raises(MissingDataError, match="add --modality skeleton for these skeletons"):
        open_dataset("custom", source=tmp_path)


def test_a_store_has_the_frames_of_each_clip(tmp_path: Path) -> None:
    reader, _ = opened(utkinect(tmp_path / "source"))
    prepare_dataset(reader, tmp_path / "source", tmp_path / "store", num_workers=1)
    store = ClipStore.open(tmp_path / "store")
    assert store.clips.clip_id == ("s01_e01_sitDown", "s01_e01_walk", "s02_e02_walk")


def test_check_recognizes_the_files(tmp_path: Path, autohier: Autohier) -> None:
    for clip_id in ("a01_s01_e01", "a02_s02_e01"):
        write_msr_clip(tmp_path, clip_id, in_space=True)
    output = autohier("check", "custom", "--source", tmp_path, "--modality", "skeleton").out
    assert "cross-subject: 1 train / 1 test clips" in output
    assert "prepare would reject 0 of 2 clips" in output
