"""Orientation of videos and images: all eight, in pixels, sizes, boxes and contact sheets."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from autohier.data.datasets.common.frame_folder import read_images
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.reader import ClipStore
from autohier.data.video.decoding import count_frames, decode_frames, video_size
from autohier.data.video.orientation import Orientation, matrix_orientation
from autohier.reports.clips.view import view_clip
from support.sources.tiny_videos import Coded, encode, set_matrix, write_packets

WIDTH, HEIGHT = 96, 64
MATRICES = [
    *((a, 0, 0, d) for a, d in product((1, -1), repeat=2)),
    *((0, b, c, 0) for b, c in product((1, -1), repeat=2)),
]


def scene() -> NDArray[np.uint8]:
    """Return a picture whose eight orientations differ: a bright corner, and a bar along its left side."""
    picture = np.full((HEIGHT, WIDTH, 3), 60, dtype=np.uint8)
    picture[:16, :32] = 240
    picture[16:, :16] = 150
    return picture


def turned(picture_HW3: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Return the shown picture by the definition of the matrix, pixel by pixel."""
    a, b, c, d = matrix
    height, width = picture_HW3.shape[:2]
    places = {(x, y): (a * x + c * y, b * x + d * y) for x in range(width) for y in range(height)}
    left, top = (min(place[axis] for place in places.values()) for axis in (0, 1))
    size = (width, height) if a else (height, width)
    shown = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for (x, y), (column, row) in places.items():
        shown[row - top, column - left] = picture_HW3[y, x]
    return shown


def matrix_bytes(a: float, b: float, c: float, d: float) -> bytes:
    values = [round(value * 65536) for value in (a, b, 0, c, d, 0, 0, 0)]
    return np.array([*values, 1 << 30], dtype=np.int32).tobytes()


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_videos_are_shown_as_their_matrix_says(
    tmp_path: Path, matrix: tuple[int, int, int, int], ending: str
) -> None:
    path = tmp_path / f"clip{ending}"
    frames = np.stack([scene()] * 3)
    if ending == ".mp4":
        encode(path, frames, "libx264")
        set_matrix(path, matrix)
    else:
        write_with_matrix(path, frames, matrix)
    expected = turned(scene(), matrix)
    assert video_size(path) == (expected.shape[1], expected.shape[0])
    assert count_frames(path) == 3
    for frame in decode_frames(path, (0, 2)):
        assert frame.shape == expected.shape
        assert np.abs(frame.astype(int) - expected).mean() < 3


def write_with_matrix(path: Path, frames: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> None:
    a, b, c, d = (value << 16 for value in matrix)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_the_nearest_orientation_of_a_matrix_by_hand() -> None:
    assert matrix_orientation(matrix_bytes(0, 1, -1, 0)) == Orientation(True, True, False)  # clockwise
    assert matrix_orientation(matrix_bytes(0.1, 0.99, -0.99, 0.1)) == Orientation(True, True, False)
    assert matrix_orientation(matrix_bytes(2, 0, 0, 1)) == Orientation()  # wide pixels
    assert matrix_orientation(matrix_bytes(0, 0, 0, 0)) == Orientation()
    assert matrix_orientation(b"") == Orientation()


@pytest.mark.parametrize("value", [*range(10), 65535, None])
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_images_are_turned_as_their_exif_data_say(tmp_path: Path, value: int | None, ending: str) -> None:
    path = tmp_path / f"frame{ending}"
    image = Image.fromarray(scene())
    exif = Image.Exif()
    if value is not None:
        exif[0x0112] = value
    image.save(path, exif=exif)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    (frame,) = read_images([path], [0])
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("value", range(1, 9))
def test_videos_of_images_are_turned_as_their_exif_data_say(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    content = io.BytesIO()
    Image.fromarray(scene()).save(content, "JPEG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(content)))
    path = tmp_path / "clip.mov"
    encode(path, np.stack([scene()]), "mjpeg")
    write_packets(tmp_path / "turned.mov", path, [Coded(content.getvalue(), at, at) for at in range(3)])
    (frame,) = decode_frames(tmp_path / "turned.mov", [2])
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_turned_clip_is_prepared_as_the_upright_one(
    tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    source = tmp_path / "source"
    frames = np.stack([scene()] * 3)
    shown = np.stack([turned(scene(), matrix)] * 3)
    height, width = shown.shape[1:3]
    joints_MTV2 = np.random.default_rng(0).uniform((5, 5), (width - 20, height - 5), (1, 3, 17, 2))
    for name, pictures in (("stored", frames), ("upright", shown)):
        for kind in ("videos", "poses"):
            (source / kind / name).mkdir(parents=True)
        encode(source / "videos" / name / "clip.mp4", pictures, "libx264")
        np.savez(source / "poses" / name / "clip.npz", keypoint=joints_MTV2)
    set_matrix(source / "videos" / "stored" / "clip.mp4", matrix)
    prepare_dataset(
        open_dataset("custom", source=source), source, tmp_path / "store", size_px=64, num_workers=1
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.clips.clip_id == ("stored/clip", "upright/clip")
    assert store.video_size_px(0) == store.video_size_px(1) == (width, height)
    assert store.box_px(0) == store.box_px(1) != (0, 0, width, height)
    stored, upright = (store.frames(row, [0, 1, 2]).astype(int) for row in (0, 1))
    assert np.abs(stored - upright).mean() < 3
    assert "100.0% of the joints inside the crop box" in view_clip(store, 0, 3).header[-1]
