"""Frames of videos that are read as they come: files, pipes, streams and cameras."""

from __future__ import annotations

import functools
import http.server
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from autohier.data.video.decoding import decode_frames, frame_bounds
from autohier.data.video.live_source import LiveSource, find_source, read_live
from autohier.errors import ClipError, InputError, MissingDataError
from support.sources.tiny_datasets import numbered_frames
from support.sources.tiny_videos import HEIGHT, RATE, WIDTH, encode

NUM_FRAMES = 7
TIMES = (0, 1, 2, 5, 6, 7, 9)
"""Times of the frames in 1/25 s: not all are equally long."""


def write(path: Path, codec: str = "mpeg4") -> Path:
    encode(path, numbered_frames(NUM_FRAMES, WIDTH, HEIGHT), codec, times=TIMES)
    return path


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_frames_and_times_of_a_file_are_those_that_prediction_reads(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"a{ending}")
    frames = list(read_live(find_source(str(path))))
    assert [frame.number for frame in frames] == list(range(NUM_FRAMES))
    expected = np.stack(list(decode_frames(path, range(NUM_FRAMES))))
    np.testing.assert_array_equal(np.stack([frame.picture_HW3 for frame in frames]), expected)
    bounds = frame_bounds(path)
    assert bounds is not None
    starts = [frame.start_s for frame in frames]
    np.testing.assert_allclose(starts, bounds[:-1], atol=1e-12)
    np.testing.assert_allclose(starts, np.array(TIMES) / RATE, atol=1e-9)


def test_frames_of_an_avi_are_equally_long(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    encode(path, numbered_frames(NUM_FRAMES, WIDTH, HEIGHT), "mpeg4")
    frames = list(read_live(find_source(str(path))))
    np.testing.assert_allclose([frame.start_s for frame in frames], np.arange(NUM_FRAMES) / RATE)
    assert {frame.duration_s for frame in frames} == {1 / RATE}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_from_front_to_back(tmp_path: Path) -> None:
    content = write(tmp_path / "a.ts", "mpeg2video").read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = find_source(str(pipe))
    assert (source.kind, source.is_live) == ("pipe", False)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert len(list(read_live(source))) == NUM_FRAMES
    writer.join()


class Silent(http.server.SimpleHTTPRequestHandler):
    """Server of files that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_a_stream_of_the_network(tmp_path: Path) -> None:
    write(tmp_path / "a.ts", "mpeg2video")
    handler = functools.partial(Silent, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        source = find_source(f"{url}/a.ts")
        assert (source.kind, source.is_live) == ("stream", True)
        assert len(list(read_live(source))) == NUM_FRAMES
        with pytest.raises(ClipError, match=r"none\.ts must be a readable video, but got .*404.*MPEG-TS"):
            next(read_live(find_source(f"{url}/none.ts")))
        server.shutdown()


def test_cameras_have_numbers_and_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("98765", "/dev/video98765"):
        with pytest.raises(MissingDataError, match=r"but got /dev/video98765: cameras of this machine: "):
            find_source(name)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(InputError, match="cameras are read on Linux only, but got darwin"):
        find_source("0")


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"must exist, but got none\.mp4: correct the path"):
        find_source("none.mp4")
    with pytest.raises(InputError, match=r"a video must be a file, but got .*, a folder"):
        find_source(str(tmp_path))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ClipError, match=r"text\.mp4 must be a readable video, but got damaged content"):
        next(read_live(find_source(str(tmp_path / "text.mp4"))))


def test_passwords_of_streams_are_not_shown() -> None:
    source = LiveSource("stream", "rtsp://user:secret@host:554/live?x=1")
    assert str(source) == "rtsp://host:554/live?x=1"
