"""Preparing one clip, and one shard of clips: what a worker process does. Imports no torch.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.datasets.reader import ClipSource, DatasetReader
from autohier.data.preparation_inputs import digest_inputs, digest_states, is_current
from autohier.data.preprocessing.boxes import skeleton_box, whole_frame
from autohier.data.preprocessing.crop import crop_and_resize
from autohier.data.skeleton import Skeleton
from autohier.data.store.manifest import (
    Receipt,
    Rejection,
    ShardEntry,
    ShardInputs,
    StoreOptions,
    load_record,
)
from autohier.data.store.paths import MANIFEST, receipt_path, shard_path
from autohier.data.store.schema import PreparedClip, encode_shard
from autohier.digest import digest_file
from autohier.errors import ClipError
from autohier.files import write_atomically


class BadFileError(ClipError):
    """A clip cannot be prepared because of one of its files."""

    def __init__(self, clip: ClipSource, path: Path | None, error: ClipError) -> None:
        super().__init__(error.rule, got=error.got, remedy=error.remedy)
        self.rejection = Rejection(
            clip_id=clip.clip_id,
            path=_printable(str(path or "")),
            kind=error.rule,
            reason=str(error),
            kept=False,
        )


def _printable(text: str) -> str:
    # A file's name may be no text.
    return text.encode(errors="backslashreplace").decode()


def evenly_spaced(num_frames: int, max_frames: int) -> tuple[int, ...]:
    """Indices of at most ``max_frames`` frames: the middle of each of as many equal parts of the clip."""
    num_kept = min(num_frames, max_frames)
    return tuple((2 * part + 1) * num_frames // (2 * num_kept) for part in range(num_kept))


def prepare_clip(
    reader: DatasetReader, clip: ClipSource, options: StoreOptions
) -> tuple[PreparedClip, Rejection | None]:
    """Decode one clip once, cut out the person, keep some frames.

    Returns:
        The prepared clip, and why its skeleton was not used where the options let it pass without one.

    Raises:
        BadFileError: where the clip cannot be prepared; it says which file is to blame.
    """
    if not reader.channels:
        return _prepare_skeleton(reader, clip), None
    rejection: Rejection | None = None
    with _blaming(clip, clip.video_path):
        num_frames = reader.count_frames(clip)
        indices = evenly_spaced(num_frames, options.max_frames)
        frames = reader.read_frames(clip, indices)
        first = next(frames)
    height_px, width_px = first.shape[:2]
    box = whole_frame(width_px, height_px)
    try:
        with _blaming(clip, clip.skeleton_path):
            skeleton = reader.read_skeleton(clip)
            if options.cropped:
                box = skeleton_box(skeleton, width_px=width_px, height_px=height_px)
    except BadFileError as error:
        if options.without_skeleton == "reject":
            raise
        rejection = error.rejection.model_copy(update={"kept": True})
        skeleton = _nobody(reader, num_frames, width_px, height_px)
    with _blaming(clip, clip.video_path):
        jpegs = tuple(
            _encode(crop_and_resize(frame, box, options.size_px), options.jpeg_quality)
            for frame in _of_one_size(chain((first,), frames))
        )
    prepared = PreparedClip(clip, num_frames, (width_px, height_px), box, indices, jpegs, skeleton)
    return prepared, rejection


def _prepare_skeleton(reader: DatasetReader, clip: ClipSource) -> PreparedClip:
    with _blaming(clip, clip.skeleton_path):
        skeleton = reader.read_skeleton(clip)
    size_px = (skeleton.image_width_px, skeleton.image_height_px)
    return PreparedClip(clip, skeleton.num_frames, size_px, whole_frame(*size_px), (), (), skeleton)


def prepare_shard(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    index: int,
    clips: Sequence[ClipSource],
    *,
    tell: Callable[[int, int, int], None],
) -> Receipt:
    """Prepare the clips of one shard and publish them; a shard that is whole already is left alone.

    Args:
        reader: of the clips' dataset.
        options: how to prepare them.
        folder: the store.
        index: which shard.
        clips: its clips, in order.
        tell: called after each clip with the clips done, rejected and found whole since the last call;
            what it raises ends the shard, unpublished.

    Raises:
        OSError: where the store cannot be written; no part of the shard is there then.
    """
    receipt = _find_shard(options, folder, index, clips)
    if receipt is not None:
        tell(len(clips), receipt.num_rejected, len(clips))
        return receipt
    inputs = digest_inputs(options, clips)
    prepared: list[PreparedClip] = []
    rejections: list[Rejection] = []
    for clip in clips:
        num_before = len(prepared)
        try:
            outcome, rejection = prepare_clip(reader, clip, options)
            prepared.append(outcome)
        except BadFileError as error:
            rejection = error.rejection
        if rejection is not None:
            rejections.append(rejection)
        tell(1, 1 - (len(prepared) - num_before), 0)
    return _publish(folder, index, inputs, prepared, rejections)


def _find_shard(
    options: StoreOptions, folder: Path, index: int, clips: Sequence[ClipSource]
) -> Receipt | None:
    receipt = load_record(Receipt, receipt_path(folder, index))
    if receipt is None or not is_current(receipt, options, clips) or not _is_whole(folder, receipt):
        return None
    states = digest_states(options, clips)
    if receipt.inputs.states != states:  # of other files with the same contents
        receipt = receipt.model_copy(update={"inputs": receipt.inputs.model_copy(update={"states": states})})
        receipt.write(receipt_path(folder, index))
    return receipt


def _publish(
    folder: Path, index: int, inputs: ShardInputs, prepared: list[PreparedClip], rejections: list[Rejection]
) -> Receipt:
    # A finished store stops being one before a shard of it changes, and a shard before its content does.
    (folder / MANIFEST).unlink(missing_ok=True)
    receipt_path(folder, index).unlink(missing_ok=True)
    path = shard_path(folder, index)
    content = encode_shard(prepared)
    write_atomically(path, content)
    entry = ShardEntry(num_rows=len(prepared), num_bytes=len(content), sha256=digest_file(path))
    receipt = Receipt(index=index, inputs=inputs, entry=entry, rejections=tuple(rejections))
    receipt.write(receipt_path(folder, index))
    return receipt


def _is_whole(folder: Path, receipt: Receipt) -> bool:
    path = shard_path(folder, receipt.index)
    is_sized = path.is_file() and path.stat().st_size == receipt.entry.num_bytes
    return is_sized and digest_file(path) == receipt.entry.sha256


@contextmanager
def _blaming(clip: ClipSource, path: Path | None) -> Iterator[None]:
    try:
        yield
    except ClipError as error:
        raise BadFileError(clip, path, error) from error


def _of_one_size(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    # A box is told in pixels of the first frame; beyond a smaller one there would be nothing but black.
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


def _nobody(reader: DatasetReader, num_frames: int, width_px: int, height_px: int) -> Skeleton:
    shape_MTV = (0, num_frames, reader.joint_layout.num_joints)
    return Skeleton(
        joints_MTV3_m=np.empty((*shape_MTV, 3), dtype=np.float32),
        pixels_MTV2=np.empty((*shape_MTV, 2), dtype=np.float32),
        image_width_px=width_px,
        image_height_px=height_px,
        layout=reader.joint_layout.name,
    )
