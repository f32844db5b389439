"""Videos whose packets, stored pictures or first track are not what is shown, in $AUTOHIER_DATA."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.reader import ClipStore
from autohier.data.validate.report import check_dataset
from autohier.data.video.decoding import count_frames, decode_frames, video_size

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set"),
]

# Those of the folder `clips` were counted by hand or stated with their source.
SHOWN = {
    "cases/phone.mp4": (25, (240, 320)),
    "cases/upright.mp4": (25, (240, 320)),
    "cases/edit_list.mp4": (32, (320, 240)),
    "cases/dropped_frames.avi": (100, (320, 240)),
    "cases/thumbnail_track.mp4": (100, (320, 240)),
    "clips/mmaction2_test.avi": (164, (320, 240)),  # packed by DivX
    "clips/mmaction2_demo.mp4": (280, (340, 256)),
    "clips/S001C001P001R001A001_rgb.avi": (103, (1920, 1080)),
}


@pytest.fixture
def data() -> Path:
    return Path(os.environ["AUTOHIER_DATA"])


@pytest.fixture
def source(data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "source" / "videos" / "a"
    folder.mkdir(parents=True)
    for name in SHOWN:
        shutil.copyfile(data / name, folder / Path(name).name)
    poses = tmp_path / "source" / "poses" / "a"
    poses.mkdir(parents=True)
    for name in ("phone", "upright"):
        shutil.copyfile(data / "cases" / "phone_pose.npz", poses / f"{name}.npz")
    return tmp_path / "source"


@pytest.mark.parametrize("name", SHOWN)
def test_the_shown_frames_of_a_real_video_are_counted(data: Path, name: str) -> None:
    num_frames, size_px = SHOWN[name]
    assert count_frames(data / name) == num_frames
    assert video_size(data / name) == size_px
    (last,) = decode_frames(data / name, [num_frames - 1])
    assert last.shape == (size_px[1], size_px[0], 3)


def test_a_dropped_frame_equals_the_one_before_it(data: Path) -> None:
    frames = list(decode_frames(data / "cases" / "dropped_frames.avi", range(100)))
    repeats = [index for index in range(1, 100) if np.array_equal(frames[index], frames[index - 1])]
    assert len(repeats) == 20


def test_check_and_prepare_agree_on_real_videos(source: Path, tmp_path: Path) -> None:
    reader = open_dataset("custom", source=source)
    check = check_dataset(reader, source, keep_all=True, num_workers=1)
    assert check.faults == ()
    assert check.unequal == ()
    prepare_dataset(
        reader, source, tmp_path / "store", size_px=64, without_skeleton="whole-frame", num_workers=1
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.manifest.num_rejected == 0
    counts = {Path(name).stem: num_frames for name, (num_frames, _) in SHOWN.items()}
    rows = {clip_id.rpartition("/")[2]: row for row, clip_id in enumerate(store.clips.clip_id)}
    assert {name: int(store.clips.num_frames[row]) for name, row in rows.items()} == counts
    phone, upright = rows["phone"], rows["upright"]
    assert store.video_size_px(phone) == store.video_size_px(upright) == (240, 320)
    assert store.box_px(phone) == store.box_px(upright)
    positions = range(store.num_kept(phone))
    stored, shown = (store.frames(row, positions).astype(int) for row in (phone, upright))
    assert np.abs(stored - shown).mean() < 1
