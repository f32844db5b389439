"""N-UCLA: its layouts, its skeletons, errors, and its protocols."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autohier.data.datasets.base import ClipSource, DatasetReader
from autohier.data.datasets.n_ucla.skeleton import read_ucla_folder, read_ucla_json
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.protocols import find_protocol
from autohier.data.splits import split_clips
from autohier.data.store.reader import ClipStore
from autohier.errors import ClipError
from support.sources.tiny_datasets import body_joints, frame_number
from support.sources.tiny_ucla import (
    frame_path,
    frame_text,
    write_ucla_frames,
    write_ucla_json,
    write_ucla_video,
)

CLIP_ID = "a01_s01_e00_v01"


def only_clip(reader: DatasetReader, source: Path) -> ClipSource:
    (clip,) = reader.find_clips(source)
    return clip


def test_action_numbers_have_gaps_and_labels_have_none(tmp_path: Path) -> None:
    actions = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)  # no class has number 7, 10 or 13
    for action in actions:
        (tmp_path / f"a{action:02}_s03_e04_v02.avi").touch()
    reader = open_dataset("n-ucla")
    clips = reader.find_clips(tmp_path)
    assert [int(clip.clip_id[1:3]) for clip in clips] == [1, 2, 3, 4, 5, 6, 8, 9, 11, 12]
    assert [clip.label for clip in clips] == list(range(10))
    assert (reader.class_names[6], reader.class_names[9]) == ("donning", "carry")
    assert {(clip.subject, clip.replication, clip.camera) for clip in clips} == {(3, 4, 2)}


def test_a_folder_of_frames_has_video_and_skeleton(tmp_path: Path) -> None:
    folder = write_ucla_frames(tmp_path / "multiview_action", "a11_s10_e03_v03")
    (tmp_path / "multiview_action" / "view_4" / "a01_s01_e00").mkdir(parents=True)  # there is no fourth view
    clip = only_clip(open_dataset("n-ucla"), tmp_path)
    assert clip == ClipSource("a11_s10_e03_v03", 8, 10, 3, 1, 3, video_path=folder, skeleton_path=folder)


def test_each_modality_uses_its_files(tmp_path: Path) -> None:
    folder = write_ucla_frames(tmp_path / "raw", CLIP_ID)
    write_ucla_video(tmp_path / "other", CLIP_ID)
    json_path = tmp_path / "other" / "all_sqe" / f"{CLIP_ID}.json"
    rgb = only_clip(open_dataset("n-ucla"), tmp_path)
    assert (rgb.video_path, rgb.skeleton_path) == (folder, folder)
    joints = only_clip(open_dataset("n-ucla", modality="skeleton"), tmp_path)
    assert (joints.video_path, joints.skeleton_path) == (None, json_path)
    shutil.rmtree(tmp_path / "raw")
    rgb = only_clip(open_dataset("n-ucla"), tmp_path)
    assert (rgb.video_path, rgb.skeleton_path) == (
        tmp_path / "other" / "a01" / "v01_s01_e00.avi",
        json_path,
    )


def test_frames_are_sorted_by_number(tmp_path: Path) -> None:
    folder = write_ucla_frames(tmp_path, CLIP_ID, num_frames=12)
    reader = open_dataset("n-ucla")
    clip = only_clip(reader, tmp_path)
    # By name frame_10, frame_11 and frame_12 would come before frame_2.
    assert min(path.name for path in folder.glob("*rgb.jpg")).startswith("frame_10_")
    assert [frame_number(frame) for frame in reader.read_frames(clip, range(12))] == list(range(12))
    np.testing.assert_allclose(
        reader.read_skeleton(clip).joints_MTV3_m, body_joints(12)[None, :, :20], atol=1e-6
    )


def test_skeletons_are_matched_to_images_by_number(tmp_path: Path) -> None:
    folder = write_ucla_frames(tmp_path, CLIP_ID, num_frames=16)
    for number in (*range(1, 9), 11):
        frame_path(folder, number, "skeletons.txt").unlink()
    frame_path(folder, 16, "rgb.jpg").unlink()
    reader = open_dataset("n-ucla")
    clip = only_clip(reader, tmp_path)
    assert reader.count_frames(clip) == 15
    expected = np.full((1, 15, 20, 3), np.nan)
    seen = [8, 9, *range(11, 15)]  # of images 1 to 15, counted from 0
    expected[0, seen] = body_joints(16)[seen, :20]
    np.testing.assert_allclose(reader.read_skeleton(clip).joints_MTV3_m, expected, atol=1e-6)
    for path in folder.glob("*.jpg"):
        path.unlink()
    # Without images the skeletons are the frames, in the order of their numbers.
    frame_path(folder, 16, "skeletons.txt").rename(frame_path(folder, 10**6, "skeletons.txt"))
    joints = reader.read_skeleton(only_clip(open_dataset("n-ucla", modality="skeleton"), tmp_path))
    np.testing.assert_allclose(
        joints.joints_MTV3_m[0], body_joints(16)[[8, 9, *range(11, 16)], :20], atol=1e-6
    )


def test_skeletons_without_an_image_are_not_used(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "clip", frame_text(BODY))
    Image.new("RGB", (64, 48)).save(frame_path(folder, 7, "rgb.jpg"))
    with pytest.raises(ClipError, match="must contain a body"):
        read_ucla_folder(folder)


def test_images_without_skeletons_use_the_json_file(tmp_path: Path) -> None:
    folder = write_ucla_frames(tmp_path, CLIP_ID)
    path = write_ucla_json(tmp_path / "all_sqe", CLIP_ID)
    reader = open_dataset("n-ucla")
    assert only_clip(reader, tmp_path).skeleton_path == folder
    for text in folder.glob("*skeletons.txt"):
        text.unlink()
    clip = only_clip(reader, tmp_path)
    assert (clip.video_path, clip.skeleton_path) == (folder, path)
    assert reader.read_skeleton(clip).num_frames == reader.count_frames(clip) == 6


def test_pixels_are_projected_to_640_by_480(tmp_path: Path) -> None:
    write_ucla_json(tmp_path, CLIP_ID)
    reader = open_dataset("n-ucla")
    skeleton = reader.read_skeleton(only_clip(reader, tmp_path))
    x, y, z = skeleton.joints_MTV3_m[0, 0, 7]
    expected = (320 + 554.84 * x / z, 240 - 583.68 * y / z)  # HAC's later text
    np.testing.assert_allclose(skeleton.pixels_MTV2[0, 0, 7], expected, rtol=1e-5)
    assert (skeleton.image_width_px, skeleton.image_height_px) == (640, 480)


def write_texts(folder: Path, *texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for index, text in enumerate(texts):
        frame_path(folder, index, "skeletons.txt").write_text(text)
    return folder


BODY = body_joints(1)[:, :20]
FAR = BODY + np.array([0.0, 0.0, 2.0])
FARTHER = BODY + np.array([0.0, 0.0, 4.0])


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_the_two_persons_in_most_frames_are_kept(tmp_path: Path, value: float) -> None:
    absent = np.full((1, 20, 3), value)
    three = np.concatenate((BODY, FAR, FARTHER))
    folder = write_texts(
        tmp_path / "clip",
        frame_text(three),
        "0\n",
        frame_text(np.concatenate((absent, FAR))),
        frame_text(np.concatenate((BODY, FAR))),
    )
    joints_MTV3 = read_ucla_folder(folder)
    # The second body is present in three frames, the first in two, the third in one.
    assert joints_MTV3.shape == (2, 4, 20, 3)
    assert np.isfinite(joints_MTV3).all(axis=(2, 3)).tolist() == [
        [True, False, True, True],
        [True, False, False, True],
    ]
    np.testing.assert_allclose(joints_MTV3[0, 0], FAR[0], atol=1e-6)
    np.testing.assert_allclose(joints_MTV3[1, 0], BODY[0], atol=1e-6)


@pytest.mark.parametrize("number", ["nan", "inf", "-1.#IND", "1e30", "-1e400"])
def test_joints_that_are_not_measurements_are_absent(tmp_path: Path, number: str) -> None:
    lines = frame_text(BODY).splitlines()
    lines[4] = f"0.1,{number},3.0,2"
    joints_MTV3 = read_ucla_folder(write_texts(tmp_path / "clip", "\n".join(lines)))
    assert np.isnan(joints_MTV3[0, 0, 3]).all()
    assert np.isnan(joints_MTV3).sum() == 3


GOOD = frame_text(BODY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "must not be empty, but got frame_0_tc_5000000_skeletons.txt"),
        (b" \n\n", "must not be empty"),
        (b"0\n", "must contain a body"),
        (frame_text(np.full((1, 20, 3), np.nan)).encode(), "must contain a body"),
        (b"two\n", "0 to 6 bodies, but got 'two' as their number"),
        (b"-1\n", "0 to 6 bodies, but got '-1'"),
        (b"999999999\n", "0 to 6 bodies, but got '999999999'"),
        (b"9" * 5000, "0 to 6 bodies, but got '99999999999999999999' as"),
        ("\N{SUPERSCRIPT TWO}\n".encode(), "0 to 6 bodies"),
        (GOOD.rsplit("\n", 2)[0].encode(), "20 joints, but got 19 lines for 1 bodies"),
        ((GOOD + "1,2,3,2\n").encode(), "20 joints, but got 21 lines for 1 bodies"),
        (GOOD.replace(",2\n", "\n", 1).encode(), "well formed, but got '[^']*' instead of x,y,z,state"),
        (GOOD.replace(",2\n", ",2,2\n", 1).encode(), "well formed, but got '[^']*' instead of x,y,z,state"),
        (GOOD.replace("3.0,2\n", "three,2\n", 1).encode(), "well formed.*'three' in frame_0_tc_5000000"),
        (b"\xff\xfe1\n", "well formed, but got bytes that are not text"),
        (b"0" + b"\n" * (64 << 10), "must have at most 64 KiB"),
    ],
)
def test_bad_texts_are_refused(tmp_path: Path, text: bytes, reason: str) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    frame_path(folder, 0, "skeletons.txt").write_bytes(text)
    with pytest.raises(ClipError, match=reason):
        read_ucla_folder(folder)


def test_files_in_place_of_folders_and_the_reverse_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    frame_path(folder, 0, "skeletons.txt").mkdir(parents=True)
    with pytest.raises(ClipError, match=r"skeleton must be readable, but got .*Is a directory"):
        read_ucla_folder(folder)
    frame_path(folder, 0, "skeletons.txt").rmdir()
    with pytest.raises(ClipError, match="folder of frames must contain skeleton files"):
        read_ucla_folder(folder)
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(ClipError, match="folder of frames must be readable, but got "):
            read_ucla_folder(path)
    (tmp_path / f"{CLIP_ID}.json").mkdir()
    with pytest.raises(ClipError, match=r"skeleton must be readable, but got .*Is a directory"):
        read_ucla_json(tmp_path / f"{CLIP_ID}.json", label=0)


def with_changes(**changes: Any) -> str:
    content: dict[str, Any] = {"file_name": CLIP_ID, "skeletons": BODY.tolist(), "label": 1} | changes
    return json.dumps({key: value for key, value in content.items() if value != "missing"})


def with_joint(joint: Any) -> str:
    return with_changes(skeletons=[[*BODY[0, :19].tolist(), joint]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must not be empty"),
        ("{", "well formed, but got invalid JSON"),
        ("[" * 100_000, "well formed, but got invalid JSON"),
        ("[" + "9" * 5000 + "]", "well formed, but got invalid JSON"),
        ("[]", "must have the keys skeletons and label"),
        ("null", "must have the keys skeletons and label"),
        (with_changes(skeletons="missing"), "must have the keys skeletons and label"),
        (with_changes(label="missing"), "must have the keys skeletons and label"),
        (with_changes(label=2), "label of a skeleton must be 1, as in its file's name, but got 2"),
        (with_changes(label=True), "label of a skeleton must be 1.* got True"),
        (with_changes(label="1"), "label of a skeleton must be 1.* got '1'"),
        (with_changes(label=[1]), r"label of a skeleton must be 1.* got \[1\]"),
        (with_changes(skeletons=3), "well formed, but got skeletons that are not a list of frames"),
        (with_changes(skeletons=[]), "must not be empty, but got 0 frames"),
        (with_changes(skeletons=[3]), "must have 20 joints, but got int"),
        (with_changes(skeletons=[[]]), "must have 20 joints, but got 0"),
        (with_changes(skeletons=BODY[:, :19].tolist()), "must have 20 joints, but got 19"),
        (with_changes(skeletons=body_joints(1).tolist()), "must have 20 joints, but got 25"),
        (with_joint([1, 2]), "must have 3 coordinates"),
        (with_joint("abc"), "must have 3 coordinates"),
        (with_joint([1, 2, "3"]), "well formed, but got '3' for a coordinate"),
        (with_joint([1, 2, None]), "well formed, but got None for a coordinate"),
        (with_joint([1, 2, True]), "well formed, but got True for a coordinate"),
        (with_joint([1, 2, [3]]), r"well formed, but got \[3\] for a coordinate"),
        (with_changes(skeletons=np.full((2, 20, 3), np.nan).tolist()), "must contain a body"),
    ],
)
def test_bad_json_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / f"{CLIP_ID}.json"
    path.write_text(text)
    with pytest.raises(ClipError, match=reason):
        read_ucla_json(path, label=0)


@pytest.mark.parametrize("number", [float("nan"), float("-inf"), 10**400, -5000])
def test_joints_in_json_that_are_not_measurements_are_absent(tmp_path: Path, number: float) -> None:
    path = tmp_path / f"{CLIP_ID}.json"
    path.write_text(with_joint([0.1, number, 3]))
    joints_MTV3 = read_ucla_json(path, label=0)
    assert np.isnan(joints_MTV3[0, 0, 19]).all()
    assert np.isfinite(joints_MTV3[0, 0, :19]).all()


def test_json_that_is_not_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{CLIP_ID}.json"
    path.write_bytes(b'{"label": "\xff"}')
    with pytest.raises(ClipError, match="well formed, but got bytes that are not text"):
        read_ucla_json(path, label=0)
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)  # a sparse file
    with pytest.raises(ClipError, match="must have at most 65536 KiB"):
        read_ucla_json(path, label=0)


def remove_images(folder: Path) -> None:
    for path in folder.glob("*rgb.jpg"):
        path.unlink()


def damage_size(folder: Path) -> None:
    Image.new("RGB", (48, 64)).save(frame_path(folder, 3, "rgb.jpg"))


def damage_giant(folder: Path) -> None:
    Image.new("L", (8192, 4097)).save(frame_path(folder, 3, "rgb.jpg"))


def damage_text(folder: Path) -> None:
    frame_path(folder, 3, "rgb.jpg").write_text("not an image")


def damage_empty(folder: Path) -> None:
    frame_path(folder, 3, "rgb.jpg").write_bytes(b"")


def damage_folder(folder: Path) -> None:
    frame_path(folder, 3, "rgb.jpg").unlink()
    frame_path(folder, 3, "rgb.jpg").mkdir()


def damage_all(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove_images, "folder of frames must contain image files"),
        (damage_size, "frames of a clip must have one size, but got 64x48 and 48x64, in frame_3_"),
        (damage_giant, r"at most 33,554,432 pixels, but got frame_3_tc_.*, \(8192, 4097\)"),
        (damage_text, "every frame of a clip must decode, but got frame_3_"),
        (damage_empty, "every frame of a clip must decode, but got frame_3_"),
        (damage_folder, "every frame of a clip must decode, but got frame_3_.*Is a directory"),
        (damage_all, "folder of frames must be readable"),
    ],
)
def test_bad_frames_are_refused(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    folder = write_ucla_frames(tmp_path, CLIP_ID)
    reader = open_dataset("n-ucla")
    clip = only_clip(reader, tmp_path)
    damage(folder)
    with pytest.raises(ClipError, match=reason):
        list(reader.read_frames(clip, range(reader.count_frames(clip))))


def test_a_frame_beyond_the_end_is_refused(tmp_path: Path) -> None:
    write_ucla_frames(tmp_path, CLIP_ID)
    reader = open_dataset("n-ucla")
    with pytest.raises(ClipError, match="every frame of a clip must decode, but got an end before frame 6"):
        list(reader.read_frames(only_clip(reader, tmp_path), (5, 6)))


@pytest.mark.parametrize("modality", ["rgb", "skeleton"])
def test_one_view_tests_and_two_train(tmp_path: Path, modality: str) -> None:
    clip_ids = [
        f"a{action}_s0{subject}_e00_v0{view}"
        for action in ("01", "12")
        for subject in (1, 5)
        for view in (1, 2, 3)
    ]
    for clip_id in clip_ids:
        write_ucla_frames(tmp_path / "source", clip_id, num_frames=3)
    summary = prepare_dataset(
        open_dataset("n-ucla", modality=modality),
        tmp_path / "source",
        tmp_path / "store",
        size_px=16,
        max_frames=2,
        num_workers=1,
    )
    assert (summary.num_clips, summary.num_rejected) == (12, 0)
    assert "n-ucla view3 has 8 train / 4 test clips" in summary.split_findings[2]
    store = ClipStore.open(tmp_path / "store")
    assert store.skeleton(0).num_frames == 3
    for view in (1, 2, 3):
        rule = find_protocol("n-ucla", store.manifest.protocols, f"view{view}")
        split = split_clips(store.clips, rule, validation="clean", held_out=(5,))
        assert {store.clips.clip_id[row] for row in split.test} == {
            clip_id for clip_id in clip_ids if clip_id.endswith(f"v0{view}")
        }
        assert set(store.clips.subject[split.train]) == {1}
        assert set(store.clips.subject[split.validation]) == {5}
        assert view not in store.clips.camera[split.train]


def test_a_repaired_frame_is_prepared_again(tmp_path: Path) -> None:
    folder = write_ucla_frames(tmp_path / "source", CLIP_ID)
    write_ucla_frames(tmp_path / "source", "a01_s01_e00_v02")
    path = frame_path(folder, 2, "skeletons.txt")
    good = path.read_text()
    path.write_text("1\n")

    def num_prepared() -> int:
        reader = open_dataset("n-ucla")
        return prepare_dataset(reader, tmp_path / "source", tmp_path / "store", num_workers=1).num_clips

    assert num_prepared() == 1
    path.write_text(good)
    assert num_prepared() == 2
