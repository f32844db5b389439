"""Opening videos, which may come from strangers: FFmpeg believes much of what a file says of itself."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
from av import VideoStream
from av.container import InputContainer

from autohier.errors import ClipError
from autohier.files import check_regular

# Without playlists, which FFmpeg knows by their content and which lead it to other files, or to themselves.
_FORMATS: Final = "avi,mov,matroska,webm,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,flv,ogg"
MAX_FRAME_PX: Final = 2**25
"""Of one frame, in a video or a folder; those of 8K are smaller."""
_MAX_OPENING_BYTES: Final = 2**30  # a table of the frames of a hundred hours takes a quarter


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A video's container and its first stream of frames, which decodes on one thread.

    Raises:
        ClipError: where the file is no video, also while the block reads it.
    """
    try:
        check_regular(path)
        with _open(path) as container:
            if not container.streams.video:
                raise ClipError("a video file must hold a video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ClipError("a video must be of a codec that FFmpeg decodes")
            stream.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PX)}
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        raise ClipError("a video must be readable", got=f"{type(error).__name__}: {error}") from error


def _open(path: Path) -> InputContainer:
    with _limited_memory(_MAX_OPENING_BYTES):
        container: InputContainer = av.open(
            str(path.absolute()),
            metadata_errors="replace",
            container_options={"format_whitelist": _FORMATS},
        )
    return container


@contextmanager
def _limited_memory(num_bytes: int) -> Iterator[None]:
    """Refuse this process more than so much memory beyond what it has, where Linux tells how much that is."""
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
