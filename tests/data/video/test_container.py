"""Videos with false headers, and playlists that refer to other files, are refused."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from autohier.data.video.decoding import count_frames, decode_frames
from autohier.errors import ClipError
from support.sources.tiny_datasets import numbered_frames, write_video

PLAYLISTS = {
    "another": "ffconcat version 1.0\nfile good.mp4\n",
    "itself": "ffconcat version 1.0\nfile itself.mp4\n",
    "stream": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\ngood.mp4\n#EXT-X-ENDLIST\n",
    "network": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.mp4"
    write_video(path, numbered_frames(3))
    return path


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_are_no_videos(good: Path, name: str) -> None:
    path = good.with_name(f"{name}.mp4")
    path.write_text(PLAYLISTS[name])
    with pytest.raises(ClipError, match="a video must be readable"):
        count_frames(path)


def claim_frames(path: Path, num_frames: int) -> None:
    """Rewrite the header of an .mp4 to state this many frames of one byte, all in its first chunk."""
    content = bytearray(path.read_bytes())
    sizes, chunks = content.index(b"stsz"), content.index(b"stsc")
    struct.pack_into(">II", content, sizes + 8, 1, num_frames)
    struct.pack_into(">I", content, chunks + 16, num_frames)
    path.write_bytes(content)


COUNT_WITHIN_A_GIGABYTE = """
import sys
from contextlib import suppress
from pathlib import Path
from autohier.data.video.decoding import count_frames
from autohier.errors import ClipError
from support.fuzz.law import at_most
with at_most(2**30), suppress(ClipError):
    count_frames(Path(sys.argv[1]))
"""


def test_a_frame_table_larger_than_the_file_is_not_allocated(good: Path) -> None:
    claim_frames(good, 50_000_000)  # a table of 1.8 GB
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(ClipError, match="a video must contain frames"):
        count_frames(good)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    # In a process of its own: what other tests have freed here may still be mapped, and be used again.
    ended = subprocess.run(
        [sys.executable, "-c", COUNT_WITHIN_A_GIGABYTE, str(good)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_frames_larger_than_8k_are_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=30)
        stream.width, stream.height, stream.pix_fmt = 8192, 4608, "gray"
        black = np.zeros((4608, 8192), dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(black, format="gray")))
        container.mux(stream.encode())
    assert count_frames(path) == 1
    with pytest.raises(
        ClipError, match=r"a video must be readable, but got damaged content \(Invalid argument\)$"
    ):
        list(decode_frames(path, [0]))


def test_frames_of_an_unknown_codec_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "unknown.avi"
    write_video(path, numbered_frames(3))
    content = path.read_bytes()
    assert content.count(b"FMP4") == 2  # in the stream's header and in its format
    path.write_bytes(content.replace(b"FMP4", b"ZZZZ"))
    with pytest.raises(ClipError, match="a video must be of a codec that FFmpeg decodes"):
        count_frames(path)
