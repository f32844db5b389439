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


@dataclass(frozen=True, slots=True)
class UnequalFrames:
    """A clip whose poses were found in its video, and are not of as many frames.

    Attributes:
        clip_id: which.
        video: frames of the video.
        skeleton: frames of the poses.
    """

    clip_id: str
    video: int
    skeleton: int


Finding = SampleFault | UnequalFrames


def try_samples(
    reader: DatasetReader, clips: Sequence[ClipSource], *, num_workers: int, tell: Tell | None = None
) -> list[Finding]:
    """Read every skeleton and find its box, and read the packets of every video without decoding them.

    A clip that comes without a skeleton file is no fault here, for that is seen without reading anything.
    Poses that were found in a video must be of its frames; those of a sensor of its own may begin and end
    elsewhere.

    Args:
        reader: of the clips' dataset.
        clips: to try.
        num_workers: processes; 1 for none beside this one.
        tell: called with the clips tried so far and those to try.

    Returns:
        What was found, in the order of the clips.

    Raises:
        InputError: where a worker process is killed.
    """
    chunks = [clips[start : start + _CHUNK_CLIPS] for start in range(0, len(clips), _CHUNK_CLIPS)]
    num_workers = min(num_workers, len(chunks))
    tried: dict[int, list[Finding]] = {}
    outcomes = _try_in_pool(reader, chunks, num_workers) if num_workers > 1 else _try_here(reader, chunks)
    num_done = 0
    for index, findings in outcomes:
        tried[index] = findings
        num_done += len(chunks[index])
        if tell is not None:
            tell(num_done, len(clips))
    return [finding for index in sorted(tried) for finding in tried[index]]


def _try_here(
    reader: DatasetReader, chunks: Sequence[Sequence[ClipSource]]
) -> Iterator[tuple[int, list[Finding]]]:
    for index, clips in enumerate(chunks):
        yield index, [finding for clip in clips for finding in _try_clip(reader, clip)]


def _try_in_pool(
    reader: DatasetReader, chunks: Sequence[Sequence[ClipSource]], num_workers: int
) -> Iterator[tuple[int, list[Finding]]]:
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


def _try_chunk(index: int, clips: Sequence[ClipSource]) -> tuple[int, list[Finding]]:
    reader, is_stopped = _shared.get()
    findings: list[Finding] = []
    for clip in clips:
        # Whoever stopped the check does not wait for the rest of the chunk, and reads no result.
        if is_stopped.is_set():
            break
        findings.extend(_try_clip(reader, clip))
    return index, findings


def _try_clip(reader: DatasetReader, clip: ClipSource) -> list[Finding]:
    findings: list[Finding] = []
    num_frames = None
    if reader.channels:
        try:
            num_frames = reader.count_frames(clip)
        except ClipError as error:
            findings.append(_fault(clip, "video", clip.video_path, error))
    if clip.skeleton_path is not None:
        try:
            skeleton = reader.read_skeleton(clip)
            if reader.channels:
                # Its own image's size stands for the video's, which only decoding would tell.
                skeleton_box(skeleton, width_px=skeleton.image_width_px, height_px=skeleton.image_height_px)
            if num_frames is not None and reader.joint_layout.planar and num_frames != skeleton.num_frames:
                findings.append(UnequalFrames(clip.clip_id, num_frames, skeleton.num_frames))
        except ClipError as error:
            # Poses in pixels need their video's size: what is wrong with the video is told once.
            if error.rule not in [fault.rule for fault in findings if isinstance(fault, SampleFault)]:
                findings.append(_fault(clip, "skeleton", clip.skeleton_path, error))
    return findings


def _fault(clip: ClipSource, kind: Kind, path: Path | None, error: ClipError) -> SampleFault:
    got = "" if error.got is None or path is None else one_line(str(error.got))
    return SampleFault(clip.clip_id, kind, path, error.rule, got, error.remedy)
