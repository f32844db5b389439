"""MP4 that grows with its pictures: their times, odd sides, and the end after an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autohier.data.video.decoding import count_frames, decode_frames, frame_bounds, video_size
from autohier.data.video.encoding import Mp4Writer
from support.sources.tiny_datasets import numbered_frames


def test_pictures_keep_their_times(tmp_path: Path) -> None:
    pictures = numbered_frames(4, 64, 48)
    with (tmp_path / "a.mp4").open("wb") as file, Mp4Writer(file) as writer:
        for picture, start_s in zip(pictures, (0.0, 0.1, 0.5, 0.6), strict=True):
            writer.write(picture, start_s)
    bounds = frame_bounds(tmp_path / "a.mp4")
    assert bounds is not None
    np.testing.assert_allclose(bounds[:4], [0.0, 0.1, 0.5, 0.6], atol=1e-4)
    found = np.stack(list(decode_frames(tmp_path / "a.mp4", range(4))))
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), pictures.mean(axis=(1, 2, 3)), atol=4)


def test_odd_sides_lose_their_last_row_and_column(tmp_path: Path) -> None:
    with (tmp_path / "a.mp4").open("wb") as file, Mp4Writer(file) as writer:
        writer.write(np.zeros((49, 65, 3), np.uint8), 0.0)
    assert video_size(tmp_path / "a.mp4") == (64, 48)


def test_an_error_finishes_the_file(tmp_path: Path) -> None:
    with (
        (tmp_path / "a.mp4").open("wb") as file,
        pytest.raises(RuntimeError, match="broken"),
        Mp4Writer(file) as writer,
    ):
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
        raise RuntimeError("broken")
    assert count_frames(tmp_path / "a.mp4") == 1
