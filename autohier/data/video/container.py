"""Opening of untrusted videos: formats, frame sizes and memory are limited, because FFmpeg trusts headers."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
from av import VideoStream
from av.container import InputContainer

from autohier.data.video.streams import choose_stream
from autohier.errors import ClipError, damage_text
from autohier.files import check_regular

# No playlists: FFmpeg detects them by content, and they refer to other files or to themselves.
FILE_FORMATS: Final = "avi,mov,matroska,webm,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,flv,ogg,gif,mxf,dv"
MAX_FRAME_PX: Final = 2**25
"""Largest number of pixels of a frame, in a video or a folder; 8K frames are smaller."""
_MAX_OPENING_BYTES: Final = 2**30  # the frame table of a video of a hundred hours takes a quarter of it


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and yield its container and the stream that a player shows, which decodes on one thread.

    Raises:
        ClipError: if the file is no readable video, also if reading fails within the block.
    """
    try:
        check_regular(path)
        with _open(path) as container:
            stream = choose_stream(container, lambda: _open(path))
            stream.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PX)}
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        raise ClipError("a video must be readable", got=damage_text(error)) from error


def _open(path: Path) -> InputContainer:
    with _limited_memory(_MAX_OPENING_BYTES):
        container: InputContainer = av.open(
            str(path.absolute()),
            metadata_errors="replace",
            container_options={"format_whitelist": FILE_FORMATS},
        )
    return container


@contextmanager
def _limited_memory(num_bytes: int) -> Iterator[None]:
    """Limit how much more memory this process may map; no limit on systems without /proc."""
    sizes = Path("/proc/self/statm")
    if not sizes.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(sizes.read_text().split()[0]) * resource.getpagesize() + num_bytes
    if soft != resource.RLIM_INFINITY:
        limit = min(soft, limit)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
