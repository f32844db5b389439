"""Shards are prepared again if the files of their clips change, and only then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare import fingerprints
from autohier.data.prepare.fingerprints import digest_inputs
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.prepare.summary import PrepareProgress
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.reader import ClipStore
from support.sources.small_preparations import CLIP_IDS, run
from support.sources.tiny_pyskl import annotation, write_pyskl

pytestmark = pytest.mark.usefixtures("small_shards")
LATER_NS = 10**9


@pytest.fixture
def prepared(source: Path, tmp_path: Path) -> Path:
    """Prepare a copy of the source into ``store`` and return the copy."""
    shutil.copytree(source, tmp_path / "source")
    run(tmp_path / "source", tmp_path / "store")
    return tmp_path / "source"


def num_reused(source: Path) -> int:
    reports: list[PrepareProgress] = []
    run(source, source.parent / "store", on_progress=reports.append)
    return reports[-1].num_reused


def test_a_changed_skeleton_of_equal_size_is_prepared_again_with_its_shard(prepared: Path) -> None:
    path = prepared / f"{CLIP_IDS[7]}.skeleton"
    text = path.read_text()
    path.write_text(text.replace(" 3.0 ", " 2.5 "))
    assert path.stat().st_size == len(text)
    # Shards hold 5, 5 and 2 clips: the second one is prepared again.
    assert num_reused(prepared) == 7
    row = sorted(CLIP_IDS).index(CLIP_IDS[7])
    assert ClipStore.open(prepared.parent / "store").skeleton(row).joints_MTV3_m[0, 0, 0, 2] == 2.5


def test_skeletons_with_new_times_are_read_once_and_their_shards_are_reused(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in prepared.iterdir():
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + LATER_NS))
    assert num_reused(prepared) == 12

    def fail(path: Path) -> str:
        raise AssertionError(f"{path} is read although its time has not changed")

    monkeypatch.setattr(fingerprints, "digest_file", fail)
    assert num_reused(prepared) == 12


def digest_of(path: Path) -> str:
    options = StoreOptions.checked(
        dataset="n-ucla", modality="rgb", size_px=32, max_frames=6, jpeg_quality=90, cropped=True,
        without_skeleton="reject",
    )  # fmt: skip
    clip = ClipSource("a01_s01_e01_v01", 0, 1, 1, 1, 1, video_path=path, skeleton_path=path)
    return digest_inputs(options, [clip]).contents


@pytest.mark.parametrize(
    ("change", "is_noticed"),
    [
        (lambda folder: (folder / "frame_1_tc_1_skeletons.txt").write_bytes(b"20\n3"), True),
        (lambda folder: (folder / "frame_1_tc_1_rgb.jpg").write_bytes(b"longer picture"), True),
        (lambda folder: (folder / "frame_1_tc_1_rgb.jpg").write_bytes(b"PICTURE"), False),
        (lambda folder: os.utime(folder / "frame_1_tc_1_skeletons.txt", (1, 1)), False),
        (lambda folder: (folder / "frame_1_tc_1_skeletons.txt").unlink(), True),
    ],
    ids=["skeleton", "longer picture", "other picture", "time", "gone"],
)
def test_in_a_folder_of_frames_skeletons_are_compared_by_content_and_images_by_size(
    tmp_path: Path, change: Callable[[Path], object], is_noticed: bool
) -> None:
    (tmp_path / "frame_1_tc_1_skeletons.txt").write_bytes(b"20\n1")
    (tmp_path / "frame_1_tc_1_rgb.jpg").write_bytes(b"picture")
    before = digest_of(tmp_path)
    change(tmp_path)
    assert (digest_of(tmp_path) != before) == is_noticed


def test_only_changed_entries_of_a_multi_clip_file_are_prepared_again(tmp_path: Path) -> None:
    path, reused = tmp_path / "x.pkl", []
    entries = [annotation(f"clip {number:02}", 4) for number in range(12)]
    split = {"train": [entry["frame_dir"] for entry in entries[:6]]}
    for change in ("none", "pose", "score", "size", "unused"):
        if change == "pose":
            entries[0]["keypoint"][0, 2, 3] += 1
        elif change == "score":
            entries[0]["keypoint_score"][0, 2, 3] = 0.5
        elif change == "size":
            entries[0]["img_shape"] = (1081, 1920)
        elif change == "unused":
            entries[0]["note"] = "mine"
        write_pyskl(path, entries, split)
        reports: list[PrepareProgress] = []
        reader = open_dataset("pyskl", source=path)
        prepare_dataset(reader, path, tmp_path / "store", num_workers=1, on_progress=reports.append)
        reused.append(reports[-1].num_reused)
        np.testing.assert_array_equal(
            ClipStore.open(tmp_path / "store").skeleton(0).pixels_MTV2, entries[0]["keypoint"]
        )
    assert reused == [0, 7, 7, 7, 12]
