"""Trying every clip of a dataset as preparation will: its skeleton, and the packets of its video."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Literal

from autohier.data.datasets.reader import ClipSource, DatasetReader
from autohier.data.preparation_pool import live_with_parent
from autohier.data.preprocessing.boxes import skeleton_box
from autohier.errors import ClipError, InputError, one_line

_CHUNK_CLIPS = 16

Kind = Literal["video", "skeleton"]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SampleFault:
    """A file that cannot be read.

    Attributes:
        clip_id: whose it is.
        kind: what it should hold.
        path: where it lies; None where it is missing.
        rule: what must hold.
        got: what broke the rule; empty where there is nothing to tell.
        remedy: what to do about it, where its reader knows that.
    """

    clip_id: str
    kind: Kind
    path: Path | None
    rule: str
    got: str
    remedy: str


def try_samples(
    reader: DatasetReader, clips: Sequence[ClipSource], *, num_workers: int, tell: Tell | None = None
) -> list[SampleFault]:
    """Read every skeleton and find its box, and read the packets of every video without decoding them.

    A clip that comes without a skeleton file is no fault here, for that is seen without reading anything.

    Args:
        reader: of the clips' dataset.
        clips: to try.
        num_workers: processes; 1 for none beside this one.
        tell: called with the clips tried so far and those to try.

    Returns:
        The faults, in the order of the clips.

    Raises:
        InputError: where a worker process is killed.
    """
    chunks = [clips[start : start + _CHUNK_CLIPS] for start in range(0, len(clips), _CHUNK_CLIPS)]
    num_workers = min(num_workers, len(chunks))
    tried: dict[int, list[SampleFault]] = {}
    outcomes = _try_in_pool(reader, chunks, num_workers) if num_workers > 1 else _try_here(reader, chunks)
    num_done = 0
    for index, faults in outcomes:
        tried[index] = faults
        num_done += len(chunks[index])
        if tell is not None:
            tell(num_done, len(clips))
    return [fault for index in sorted(tried) for fault in tried[index]]


def _try_here(
    reader: DatasetReader, chunks: Sequence[Sequence[ClipSource]]
) -> Iterator[tuple[int, list[SampleFault]]]:
    for index, clips in enumerate(chunks):
        yield index, [fault for clip in clips for fault in _try_clip(reader, clip)]


def _try_in_pool(
    reader: DatasetReader, chunks: Sequence[Sequence[ClipSource]], num_workers: int
) -> Iterator[tuple[int, list[SampleFault]]]:
    context = multiprocessing.get_context("spawn")
    is_stopped = context.Event()
    pool = ProcessPoolExecutor(
        num_workers, mp_context=context, initializer=_enter, initargs=(reader, is_stopped)
    )
    try:
        futures = [pool.submit(_try_chunk, index, clips) for index, clips in enumerate(chunks)]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "all workers must live on, and one was killed, most often for want of memory",
            remedy="run again with fewer --workers",
        ) from error
    finally:
        is_stopped.set()
        pool.shutdown(cancel_futures=True)


_shared: ContextVar[tuple[DatasetReader, Event]] = ContextVar("shared")


def _enter(reader: DatasetReader, is_stopped: Event) -> None:
    _shared.set((reader, is_stopped))
    live_with_parent()


def _try_chunk(index: int, clips: Sequence[ClipSource]) -> tuple[int, list[SampleFault]]:
    reader, is_stopped = _shared.get()
    faults: list[SampleFault] = []
    for clip in clips:
        # Whoever stopped the check does not wait for the rest of the chunk, and reads no result.
        if is_stopped.is_set():
            break
        faults.extend(_try_clip(reader, clip))
    return index, faults


def _try_clip(reader: DatasetReader, clip: ClipSource) -> list[SampleFault]:
    faults: list[SampleFault] = []
    if reader.channels:
        try:
            reader.count_frames(clip)
        except ClipError as error:
            faults.append(_fault(clip, "video", clip.video_path, error))
    if clip.skeleton_path is not None:
        try:
            skeleton = reader.read_skeleton(clip)
            if reader.channels:
                # Its own image's size stands for the video's, which only decoding would tell.
                skeleton_box(skeleton, width_px=skeleton.image_width_px, height_px=skeleton.image_height_px)
        except ClipError as error:
            # Poses in pixels need their video's size: what is wrong with the video is told once.
            if all(fault.rule != error.rule for fault in faults):
                faults.append(_fault(clip, "skeleton", clip.skeleton_path, error))
    return faults


def _fault(clip: ClipSource, kind: Kind, path: Path | None, error: ClipError) -> SampleFault:
    got = "" if error.got is None or path is None else one_line(str(error.got))
    return SampleFault(clip.clip_id, kind, path, error.rule, got, error.remedy)
