"""Decoding of videos: the decoded frames, and the errors of unreadable files."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.video.decoding import count_frames, decode_frames
from autohier.errors import ClipError
from support.sources.tiny_datasets import frame_number, numbered_frames, write_video


@pytest.fixture(scope="module", params=["mpeg4", "h264"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / f"{request.param}.avi"
    write_video(path, numbered_frames(40), codec=request.param)
    return path


def test_all_frames_are_counted(video: Path) -> None:
    assert count_frames(video) == 40


@pytest.mark.parametrize("indices", [(0,), (39,), (0, 1, 2), (3, 17, 18, 39), tuple(range(40)), ()])
def test_the_given_frames_are_decoded(video: Path, indices: tuple[int, ...]) -> None:
    frames = list(decode_frames(video, indices))
    assert [frame_number(frame) for frame in frames] == list(indices)
    assert all(frame.shape == (108, 192, 3) for frame in frames)


def test_a_frame_beyond_the_end_is_refused(video: Path) -> None:
    with pytest.raises(ClipError, match="every frame of a video must decode, but got an end before frame 40"):
        list(decode_frames(video, (39, 40)))


def test_a_truncated_video_is_refused(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    content = video.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(ClipError, match=r"must be complete, but got \d+ of the 40 frames|must be readable"):
        count_frames(cut)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(content)
    with pytest.raises(ClipError, match="must be readable"):
        count_frames(path)


def test_a_missing_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="must be readable, but got No such file or directory: "):
        list(decode_frames(tmp_path / "none.avi", (0,)))
