"""Contact sheets: positions of joints, and pictures of clips with and without frames or skeleton."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import Skeleton
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.reports.clips.contact_sheet import draw_contact_sheet, sheet_size_px
from autohier.reports.clips.geometry import Window, share_inside, source_points, square_around, to_square
from autohier.reports.clips.view import find_clip, view_clip
from support.sources.tiny_datasets import numbered_frames, write_ntu_clip, write_utd_clip, write_video
from support.sources.tiny_pyskl import annotation, write_pyskl

NTU_ID = "S002C003P001R001A002"


def prepared(dataset: str, source: Path, folder: Path, *, modality: str | None, **options: Any) -> ClipStore:
    reader = open_dataset(dataset, modality=modality, source=source)
    prepare_dataset(reader, source, folder, num_workers=1, **options)
    return ClipStore.open(folder)


def ntu_store(tmp_path: Path, **options: Any) -> ClipStore:
    write_ntu_clip(tmp_path / "source", NTU_ID, num_frames=6)
    return prepared("ntu60", tmp_path / "source", tmp_path / "store", modality="rgb", size_px=32, **options)


def skeleton_of(*pixels: tuple[float, float]) -> Skeleton:
    pixels_MTV2 = np.array(pixels, dtype=np.float32)[None, None]
    joints_MTV3 = np.full((1, 1, len(pixels), 3), np.nan, dtype=np.float32)
    return Skeleton(joints_MTV3, pixels_MTV2, 1920, 1080, "kinect-v2-25")


def test_skeleton_pixels_are_scaled_to_the_video():
    # A tenth of the width and a twentieth of the height.
    points = source_points(skeleton_of((960, 540), (1920, 20)), (192, 54))
    np.testing.assert_allclose(points[0, 0], [[96, 27], [192, 1]], rtol=1e-6)


def test_the_crop_box_fills_the_square():
    # A box of 40 x 80 at (10, 20): its centre is (30, 60), one column is 8 of the square's 320.
    points = np.array([[10, 20], [50, 100], [30, 60], [11, 20], [10, 21], [np.nan, np.nan]], dtype=float)
    placed = to_square(points, Window(10, 20, 50, 100), 320)
    np.testing.assert_allclose(
        placed, [[0, 0], [320, 320], [160, 160], [8, 0], [0, 4], [np.nan, np.nan]], equal_nan=True
    )


def test_joints_on_the_border_are_inside_and_missing_ones_are_ignored():
    points = np.array([[10, 20], [50, 100], [9.9, 50], [30, 101], [np.nan, np.nan]], dtype=float)
    assert share_inside(points, Window(10, 20, 50, 100)) == 0.5
    assert np.isnan(share_inside(points[4:], Window(0, 0, 1, 1)))


def test_the_square_around_joints_has_their_longer_side():
    # 10 wide, 20 high, centred on (5, 20): half of 20 to each side, and a tenth of 20 more.
    points = np.array([[0, 10], [10, 30]], dtype=float)
    assert square_around(points) == pytest.approx((-7, 8, 17, 32))
    assert square_around(points[:1]) == (-0.5, 9.5, 0.5, 10.5)
    assert square_around(points[:0]) == (-0.5, -0.5, 0.5, 0.5)


def test_a_clip_is_found_by_its_id_or_a_unique_prefix():
    ids = ("a1_s1", "a1_s10", "a2_s1")
    assert find_clip(ids, "a1_s1") == 0  # although another id begins with it
    assert find_clip(ids, "a1_s10") == 1
    assert find_clip(ids, "a2") == 2


def test_errors_list_similar_clip_ids():
    ids = ("a1_s1", "a1_s10", "a2_s1", "zzz")
    with pytest.raises(InputError, match=r"but got 'b2_s1': similar ids are a2_s1, a1_s1, a1_s10$"):
        find_clip(ids, "b2_s1")
    with pytest.raises(
        InputError, match=r"must be unique, but got 'a1' of 2 clips: write more of it, e.g. a1_s1, a1_s10$"
    ):
        find_clip(ids, "a1")


def test_frames_are_chosen_from_the_stored_ones(tmp_path: Path):
    # 4 of 6 stored: (2k + 1) * 6 // 8 = 0, 2, 3, 5. 2 of these: positions (2k + 1) * 4 // 4 = 1, 3.
    store = ntu_store(tmp_path, max_frames=4)
    view = view_clip(store, 0, 2)
    assert view.frame_indices == (2, 5)
    np.testing.assert_array_equal(view.frames_THWC, store.frames(0, [1, 3]))
    assert view_clip(store, 0, 12).frame_indices == (0, 2, 3, 5)


def test_the_header_describes_the_clip(tmp_path: Path):
    store = ntu_store(tmp_path)
    left, top, right, bottom = store.box_px(0)
    size = f"{right - left} x {bottom - top}"
    assert view_clip(store, 0, 4).header == (
        # Numbers that are 1 for all clips, here subject and replication, are omitted.
        f"{NTU_ID}, eat meal/snack, camera 3, setup 2",
        f"6 frames, source 192 x 108 px, crop box {left}, {top} to {right}, {bottom} px ({size})",
        "1 person, skeleton of 6 frames, 100.0% of the joints inside the crop box",
    )


def test_the_picture_size_depends_on_the_number_of_frames(tmp_path: Path):
    view = view_clip(ntu_store(tmp_path), 0, 5)
    # 6 panels: 5 columns and 2 rows of 2.6 inches, a header of 0.8, 100 dots per inch.
    assert sheet_size_px(5) == (1300, 600)
    with Image.open(io.BytesIO(draw_contact_sheet(view))) as image:
        assert (image.format, image.size) == ("PNG", (1300, 600))
    assert sheet_size_px(12) == (1300, 860)
    assert sheet_size_px(1) == (520, 340)


def test_the_skeleton_is_drawn_over_the_frames_and_the_source(tmp_path: Path):
    # tab10's second colour is (255, 127, 14); everything else except the crop box is grey.
    with Image.open(io.BytesIO(draw_contact_sheet(view_clip(ntu_store(tmp_path), 0, 4)))) as image:
        pixels_HW3 = np.asarray(image.convert("RGB")).astype(int)
    is_orange_HW = np.abs(pixels_HW3 - (255, 127, 14)).sum(axis=2) < 20
    is_pale_HW = (pixels_HW3[..., 0] - pixels_HW3[..., 2] > 30) & (pixels_HW3[..., 1] > 180)
    for panel in range(1, 5):
        assert is_orange_HW[80:, 260 * panel : 260 * (panel + 1)].any()
    assert is_pale_HW[80:, :260].any()


def test_a_clip_without_a_skeleton_is_drawn(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    write_video(source / f"{NTU_ID}_rgb.avi", numbered_frames(3))
    store = prepared(
        *("ntu60", source, tmp_path / "store"), modality="rgb", size_px=32, without_skeleton="whole-frame"
    )
    view = view_clip(store, 0, 12)
    assert view.header[2] == "no skeleton"
    assert view.window is not None
    assert tuple(view.window) == (0, 0, 192, 108)
    assert view.source == view.window
    assert draw_contact_sheet(view).startswith(b"\x89PNG")


def test_a_store_of_skeletons_is_drawn_on_white(tmp_path: Path):
    write_utd_clip(tmp_path / "source", "a3_s2_t4", num_frames=4)
    store = prepared("utd-mhad", tmp_path / "source", tmp_path / "store", modality="skeleton")
    view = view_clip(store, 0, 2)
    assert view.header == (
        "a3_s2_t4, wave, subject 2, replication 4",
        f"4 frames, source {store.video_size_px(0)[0]} x {store.video_size_px(0)[1]} px, skeletons only",
        "1 person, skeleton of 4 frames",
    )
    assert view.frame_indices == (1, 3)
    assert (view.frames_THWC == 255).all()
    assert share_inside(view.points_MTV2, view.window) == 1
    assert draw_contact_sheet(view).startswith(b"\x89PNG")


def test_joints_without_pixels_are_drawn_in_metres(tmp_path: Path):
    made = [annotation(name, 0, num_joints=25) for name in ("a", "b")]
    source = write_pyskl(tmp_path / "poses.pkl", made, {"train": ["a"], "val": ["b"]})
    store = prepared("pyskl", source, tmp_path / "store", modality=None)
    view = view_clip(store, 0, 1)
    joints = store.skeleton(0).joints_MTV3_m
    assert np.isnan(store.skeleton(0).pixels_MTV2).all()
    np.testing.assert_allclose(view.points_MTV2[..., 0], joints[..., 0])
    np.testing.assert_allclose(view.points_MTV2[..., 1], -joints[..., 1])
    assert view.source is None
    assert view.header[1].endswith("in meters, front view")
    assert draw_contact_sheet(view).startswith(b"\x89PNG")
