"""Readers on real files of NTU RGB+D and UTD-MHAD, in the folder $AUTOHIER_DATA."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.ntu.reader import NTU60_CLASS_NAMES, NtuReader
from autohier.data.datasets.ntu.skeleton import read_ntu_skeleton
from autohier.data.datasets.registry import open_dataset
from autohier.data.datasets.utd_mhad.reader import UtdMhadReader
from autohier.data.protocols import PROTOCOLS, find_protocol
from autohier.data.splits import check_split_sizes, default_held_out, split_clips
from autohier.data.store.table import ClipTable
from autohier.data.transforms.projection import NTU_COLOUR
from autohier.data.video.decoding import count_frames, decode_frames

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set"),
]


@pytest.fixture
def data() -> Path:
    return Path(os.environ["AUTOHIER_DATA"])


@pytest.mark.parametrize(
    ("clip_id", "num_persons"),
    [
        ("S001C001P001R001A011", 1),
        ("S001C003P008R002A058", 2),
        ("S002C001P003R001A003", 1),
        ("S003C001P015R001A034", 1),
        ("S004C002P003R001A017", 1),
    ],
)
def test_real_skeletons_are_parsed_completely(data: Path, clip_id: str, num_persons: int) -> None:
    path = data / "ntu-skeleton" / f"{clip_id}.skeleton"
    skeleton = read_ntu_skeleton(path)
    num_frames = int(path.read_text().split(maxsplit=1)[0])
    assert skeleton.joints_MTV3_m.shape == (num_persons, num_frames, 25, 3)
    assert np.isfinite(skeleton.pixels_MTV2[0]).all()
    # Kinect's own mapping and the fitted projection agree within a few pixels of 1920.
    error_px = np.abs(NTU_COLOUR.project(skeleton.joints_MTV3_m) - skeleton.pixels_MTV2)
    assert np.nanmedian(error_px) < 20


def test_a_real_video_is_decoded_completely(data: Path) -> None:
    path = data / "clips" / "S001C001P001R001A001_rgb.avi"
    assert count_frames(path) == 103
    first, last = decode_frames(path, (0, 102))
    assert first.shape == last.shape == (1080, 1920, 3)
    assert first.std() > 20
    assert not np.array_equal(first, last)


def clip_table(clip_ids: list[str]) -> ClipTable:
    numbers = np.array([[int(clip_id[at : at + 3]) for at in (1, 5, 9, 17)] for clip_id in clip_ids])
    setup, camera, subject, action = numbers.T
    return ClipTable(
        tuple(clip_ids),
        action - 1,
        subject,
        camera,
        setup,
        np.ones(len(numbers), dtype=np.int64),
        ((),) * len(numbers),
    )


@pytest.fixture
def complete_ids(data: Path) -> list[str]:
    lines = (data / "ntu-statistics" / "ntu" / "statistics" / "skes_available_name.txt").read_text().split()
    return sorted(lines)


def test_ntu_splits_have_the_published_sizes(data: Path, complete_ids: list[str]) -> None:
    listed = (data / "ntu-statistics" / "NTU_RGBD_samples_with_missing_skeletons.txt").read_text().split()
    missing = [word for word in listed if len(word) == 20 and word.startswith("S0")]
    assert len(missing) == 302
    reader = open_dataset("ntu60")
    assert isinstance(reader, NtuReader)
    own = reader.missing_skeletons
    assert len(own) == 535
    assert set(missing) == {name for name in own if int(name[-3:]) <= 60}
    assert check_split_sizes(clip_table(complete_ids), "ntu60", PROTOCOLS["ntu60"]) == []
    assert check_split_sizes(clip_table(sorted(complete_ids + missing)), "ntu60", PROTOCOLS["ntu60"]) == []
    assert len(check_split_sizes(clip_table(complete_ids[1:]), "ntu60", PROTOCOLS["ntu60"])) == 2


@pytest.mark.parametrize("protocol", ["cross-subject", "cross-view"])
def test_default_validation_of_ntu_contains_every_class(complete_ids: list[str], protocol: str) -> None:
    clips = clip_table(complete_ids)
    rule = find_protocol("ntu60", PROTOCOLS["ntu60"], protocol)
    split = split_clips(clips, rule, validation="clean", held_out=default_held_out(clips, rule))
    assert set(clips.label[split.validation]) == set(range(len(NTU60_CLASS_NAMES)))
    share = len(split.validation) / (len(split.train) + len(split.validation))
    assert 0.05 < share < 0.2


@pytest.fixture
def utd_clips(data: Path) -> list[ClipSource]:
    return UtdMhadReader().find_clips(data / "utd-mhad")


def test_utd_mhad_is_complete_except_for_three_known_clips(utd_clips: list[ClipSource]) -> None:
    all_ids = {f"a{a}_s{s}_t{t}" for a in range(1, 28) for s in range(1, 9) for t in range(1, 5)}
    assert all_ids - {clip.clip_id for clip in utd_clips} == {"a8_s1_t4", "a23_s6_t4", "a27_s8_t4"}
    is_odd = [clip.subject % 2 == 1 for clip in utd_clips]
    assert (sum(is_odd), len(is_odd) - sum(is_odd)) == (431, 430)


def test_joints_are_on_the_body_only_with_y_downward(utd_clips: list[ClipSource]) -> None:
    reader = UtdMhadReader()
    shares: dict[str, list[bool]] = {"downward": [], "upward": []}
    for clip in utd_clips[::86]:
        assert reader.count_frames(clip) == reader.read_skeleton(clip).num_frames
        pixels_TV2 = reader.read_skeleton(clip).pixels_MTV2[0]
        frames = reader.read_frames(clip, range(len(pixels_TV2)))
        mirrored_TV2 = pixels_TV2 * (1, -1) + (0, 240)  # 120 + (120 - v): HAC's '+'
        for frame, pixels, mirrored in zip(frames, pixels_TV2, mirrored_TV2, strict=True):
            shares["downward"] += hits(frame, pixels)
            shares["upward"] += hits(frame, mirrored)
    assert np.mean(shares["downward"]) >= 0.90
    assert np.mean(shares["upward"]) <= 0.60


def hits(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], pixels_V2: np.ndarray) -> Iterator[bool]:
    """Yield for each joint True if its pixel is not background."""
    height, width, _ = frame.shape
    for column, row in np.rint(pixels_V2).astype(int):
        inside = 0 <= column < width and 0 <= row < height
        yield inside and bool(frame[row, column, 0])
