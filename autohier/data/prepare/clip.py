"""Preparation of one clip: decode, crop to the person, keep frames spread over its time. Imports no torch.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.datasets.base import ClipReader, ClipSource, bounds_of_frames, read_skeleton
from autohier.data.skeleton import Skeleton
from autohier.data.store.manifest import Rejection, StoreOptions
from autohier.data.store.prepared_clip import PreparedClip
from autohier.data.transforms.boxes import skeleton_box, whole_frame
from autohier.data.transforms.crop import crop_and_resize
from autohier.data.transforms.sampling import evenly_spaced, spread_over_time
from autohier.errors import ClipError


class BadFileError(ClipError):
    """A clip cannot be prepared because of one of its files.

    Attributes:
        rejection: the clip's entry in the list of rejected files.
    """

    def __init__(self, clip: ClipSource, path: Path | None, error: ClipError) -> None:
        super().__init__(error.rule, got=error.got, hint=error.hint)
        self.rejection = Rejection(
            clip_id=clip.clip_id,
            path=_as_utf8(str(path or "")),
            kind=error.rule,
            reason=str(error),
            kept=False,
        )


def _as_utf8(text: str) -> str:
    # File names may hold bytes that are not valid UTF-8.
    return text.encode(errors="backslashreplace").decode()


def prepare_clip(
    reader: ClipReader, clip: ClipSource, options: StoreOptions
) -> tuple[PreparedClip, Rejection | None]:
    """Decode one clip once, crop to the person, and keep frames that are evenly spread over its time.

    Returns:
        The prepared clip. The second value says why its skeleton was not used, if the options allow clips
        without a skeleton; otherwise it is None.

    Raises:
        BadFileError: if the clip cannot be prepared; its rejection names the faulty file.
    """
    if not reader.channels:
        return _prepare_skeleton(reader, clip), None
    rejection: Rejection | None = None
    with _rejecting(clip, clip.video_path):
        num_frames = reader.count_frames(clip)
        indices = _spread(reader, clip, num_frames, options.max_frames)
        frames = reader.read_frames(clip, indices)
        first = next(frames)
    height_px, width_px = first.shape[:2]
    box = whole_frame(width_px, height_px)
    try:
        with _rejecting(clip, clip.skeleton_path):
            skeleton = read_skeleton(reader, clip)
            if options.cropped:
                box = skeleton_box(skeleton, width_px=width_px, height_px=height_px)
    except BadFileError as error:
        if options.without_skeleton == "reject":
            raise
        rejection = error.rejection.model_copy(update={"kept": True})
        skeleton = _empty_skeleton(reader, num_frames, width_px, height_px)
    with _rejecting(clip, clip.video_path):
        jpegs = tuple(
            _encode(crop_and_resize(frame, box, options.size_px), options.jpeg_quality)
            for frame in _check_equal_sizes(chain((first,), frames))
        )
    prepared = PreparedClip(clip, num_frames, (width_px, height_px), box, indices, jpegs, skeleton)
    return prepared, rejection


def _prepare_skeleton(reader: ClipReader, clip: ClipSource) -> PreparedClip:
    with _rejecting(clip, clip.skeleton_path):
        skeleton = read_skeleton(reader, clip)
    size_px = (skeleton.image_width_px, skeleton.image_height_px)
    return PreparedClip(clip, skeleton.num_frames, size_px, whole_frame(*size_px), (), (), skeleton)


def _spread(reader: ClipReader, clip: ClipSource, num_frames: int, max_frames: int) -> tuple[int, ...]:
    """Return the indices of the frames to keep; they count frames by number, as pose files do."""
    bounds_s_N1 = bounds_of_frames(reader, clip)
    if bounds_s_N1 is None:
        return evenly_spaced(num_frames, max_frames)
    return spread_over_time(bounds_s_N1, max_frames)


@contextmanager
def _rejecting(clip: ClipSource, path: Path | None) -> Iterator[None]:
    """Turn a `ClipError` of the block into a `BadFileError` that names the clip and the file."""
    try:
        yield
    except ClipError as error:
        raise BadFileError(clip, path, error) from error


def _check_equal_sizes(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    # The box is in pixels of the first frame: it may lie outside a smaller one.
    shape: tuple[int, ...] | None = None
    for frame in frames:
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ClipError(
                "the frames of a clip must be of one size", got=f"{shape[:2]} and {frame.shape[:2]}"
            )
        yield frame


def _encode(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def _empty_skeleton(reader: ClipReader, num_frames: int, width_px: int, height_px: int) -> Skeleton:
    shape_MTV = (0, num_frames, reader.joint_layout.num_joints)
    return Skeleton(
        joints_MTV3_m=np.empty((*shape_MTV, 3), dtype=np.float32),
        pixels_MTV2=np.empty((*shape_MTV, 2), dtype=np.float32),
        image_width_px=width_px,
        image_height_px=height_px,
        layout=reader.joint_layout.name,
    )
