"""Decoding of videos: in order, from the first frame, on one thread.

Seeking is not used: NTU's clips hold one keyframe each, so that a seek decodes the clip again and
may land on another frame. One thread, because preparation runs one process per core.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from autohier.errors import ClipError

# Writers may count a last frame that they then dropped; more than this means that the file was cut.
_HEADER_SLACK = 2


def count_frames(path: Path) -> int:
    """Count a video's frames by reading its packets, without decoding them.

    Raises:
        ClipError: where the file is no video, has no frames or ends before its header says.
    """
    with _open_video(path) as (container, stream):
        num_frames = sum(1 for packet in container.demux(stream) if packet.size)
        num_promised = int(stream.frames)
    if num_frames == 0:
        raise ClipError("a video must hold frames")
    if num_frames + _HEADER_SLACK < num_promised:
        raise ClipError(
            "a video must be whole", got=f"{num_frames} of the {num_promised} frames in its header"
        )
    return num_frames


def video_size(path: Path) -> tuple[int, int]:
    """Width and height of a video in pixels, as its header says.

    Raises:
        ClipError: where the file is no video.
    """
    with _open_video(path) as (_, stream):
        width, height = int(stream.width), int(stream.height)
    if width < 1 or height < 1:
        raise ClipError("a video must have a width and a height", got=f"{width} x {height}")
    return width, height


def decode_frames(path: Path, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Decode a video once, in order, and yield the RGB frames [H, W, 3] at ascending indices.

    Raises:
        ClipError: where decoding fails or ends before the last index.
    """
    wanted = iter(indices)
    following = next(wanted, None)
    with _open_video(path) as (container, stream):
        for index, frame in enumerate(container.decode(stream)):
            if following is None:
                return
            if index == following:
                if frame.is_corrupt:
                    raise ClipError("every frame of a video must decode", got=f"damage at frame {index}")
                yield frame.to_ndarray(format="rgb24")
                following = next(wanted, None)
    if following is not None:
        raise ClipError("every frame of a video must decode", got=f"an end before frame {following}")


@contextmanager
def _open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise ClipError("a video file must hold a video stream")
            stream = container.streams.video[0]
            stream.thread_count = 1
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        raise ClipError("a video must be readable", got=f"{type(error).__name__}: {error}") from error
