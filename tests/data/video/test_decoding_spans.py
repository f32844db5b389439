"""Spans of time in a video: the frames that belong to them, in every container format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autohier.data.video.decoding import count_frames, decode_frames
from autohier.data.video.span import Span
from autohier.errors import ClipError
from support.sources.tiny_datasets import frame_number, write_video

NUM_SECONDS = 6
FILES = [("mpeg4", "avi"), ("h264", "avi"), ("h264", "mp4"), ("h264", "mkv"), ("libvpx", "webm")]


@pytest.fixture(scope="module", params=FILES, ids=" in ".join)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of 30 frames: the left half encodes the second, the right half the frame within it."""
    codec, ending = request.param
    frames = np.empty((NUM_SECONDS * 30, 48, 64, 3), dtype=np.uint8)
    for index, frame in enumerate(frames):
        frame[:, :32], frame[:, 32:] = 10 + 5 * (index // 30), 10 + 5 * (index % 30)
    path = tmp_path_factory.mktemp("video") / f"clip.{ending}"
    write_video(path, frames, codec=codec)
    return path


@pytest.mark.parametrize(("start_s", "stop_s"), [(0, 1), (0, 6), (1, 3), (2, 3), (4, 6), (5, 6)])
def test_a_span_holds_the_frames_of_its_seconds(video: Path, start_s: int, stop_s: int) -> None:
    span = Span(start_s, stop_s)
    num_frames = 30 * (stop_s - start_s)
    assert count_frames(video, span) == num_frames
    indices = (0, 1, 17, num_frames - 1)
    frames = list(decode_frames(video, indices, span))
    assert [frame_number(frame[:, 4:28]) for frame in frames] == [start_s + at // 30 for at in indices]
    assert [frame_number(frame[:, 36:60]) for frame in frames] == [at % 30 for at in indices]


@pytest.mark.parametrize(("start_s", "stop_s"), [(6, 7), (5, 8), (90, 91), (3, 3)])
def test_a_span_beyond_the_end_of_the_video_is_refused(video: Path, start_s: int, stop_s: int) -> None:
    message = rf"must contain its seconds {start_s} to {stop_s}, but got an end at \d"
    with pytest.raises(ClipError, match=message):
        count_frames(video, Span(start_s, stop_s))
    with pytest.raises(ClipError, match=message):
        list(decode_frames(video, (0,), Span(start_s, stop_s)))


def test_an_end_rounded_up_beyond_the_video_is_accepted(video: Path) -> None:
    # The last frame is shown at 5.97 s.
    assert count_frames(video, Span(5, 7)) == 30
    assert len(list(decode_frames(video, range(30), Span(5, 7)))) == 30
