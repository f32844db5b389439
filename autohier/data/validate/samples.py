"""Trial reading of every clip of a dataset: its skeleton and the packets of its video.

Process model: as in `prepare.pool`. With one worker the clips are read in the calling process. Otherwise the
caller spawns the workers and gives them 16 clips at a time. Workers ignore SIGINT and exit if the caller
dies. When the caller stops for any reason, it sets the stop event and waits; each worker stops after its
current clip.
"""

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

from autohier.data.datasets.base import ClipSource, DatasetReader, TakesPoses, read_skeleton
from autohier.data.datasets.common.poses.pose_checks import PoseSample, sample_poses
from autohier.data.prepare.pool import tie_to_parent
from autohier.data.transforms.boxes import skeleton_box
from autohier.data.transforms.content import skeleton_content
from autohier.errors import ClipError, InputError, one_line

_CHUNK_CLIPS = 16

Kind = Literal["video", "skeleton"]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SampleFault:
    """File that cannot be read.

    Attributes:
        clip_id: clip of the file.
        kind: expected content of the file.
        path: path of the file; None if it is missing.
        rule: the broken rule.
        got: the value that broke the rule; empty if there is none.
        hint: how to fix it; empty if the reader has no hint.
    """

    clip_id: str
    kind: Kind
    path: Path | None
    rule: str
    got: str
    hint: str


@dataclass(frozen=True, slots=True)
class UnequalFrames:
    """Clip whose poses were estimated from its video but have another number of frames.

    Attributes:
        clip_id: name of the clip.
        video: frames of the video.
        skeleton: frames of the poses.
    """

    clip_id: str
    video: int
    skeleton: int


@dataclass(frozen=True, slots=True)
class JoinedTracks:
    """Clip in which a person was lost and found under another id, so that its tracks were joined."""

    clip_id: str


@dataclass(frozen=True, slots=True)
class SkeletonContent:
    """Content of a clip that has no frames, for the search for equal clips."""

    clip_id: str
    digest: str


Finding = SampleFault | UnequalFrames | JoinedTracks | SkeletonContent | PoseSample


def try_samples(
    reader: DatasetReader,
    clips: Sequence[ClipSource],
    *,
    num_workers: int,
    on_progress: OnProgress | None = None,
) -> list[Finding]:
    """Read every skeleton and find its box, and read the packets of every video without decoding them.

    A clip without a skeleton file is no fault here, because that is known without reading. Poses estimated
    from a video must have its number of frames; those of a separate sensor may start and end at other times.

    Args:
        reader: reader of the clips' dataset.
        clips: clips to read.
        num_workers: number of worker processes; 1 works in the calling process.
        on_progress: called with the clips read so far and the number of clips.

    Returns:
        Faults and warnings in the order of the clips.

    Raises:
        InputError: if a worker process is killed.
    """
    chunks = [clips[start : start + _CHUNK_CLIPS] for start in range(0, len(clips), _CHUNK_CLIPS)]
    num_workers = min(num_workers, len(chunks))
    tried: dict[int, list[Finding]] = {}
    outcomes = _try_in_pool(reader, chunks, num_workers) if num_workers > 1 else _try_here(reader, chunks)
    num_done = 0
    for index, findings in outcomes:
        tried[index] = findings
        num_done += len(chunks[index])
        if on_progress is not None:
            on_progress(num_done, len(clips))
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
        num_workers, mp_context=context, initializer=_start_worker, initargs=(reader, is_stopped)
    )
    try:
        futures = [pool.submit(_try_chunk, index, clips) for index, clips in enumerate(chunks)]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, most likely because memory ran out",
            hint="run again with fewer --workers",
        ) from error
    finally:
        is_stopped.set()
        pool.shutdown(cancel_futures=True)


_shared: ContextVar[tuple[DatasetReader, Event]] = ContextVar("shared")


def _start_worker(reader: DatasetReader, is_stopped: Event) -> None:
    _shared.set((reader, is_stopped))
    tie_to_parent()


def _try_chunk(index: int, clips: Sequence[ClipSource]) -> tuple[int, list[Finding]]:
    reader, is_stopped = _shared.get()
    findings: list[Finding] = []
    for clip in clips:
        # The stopped caller reads no result, so the rest of the chunk is not needed.
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
            findings.extend(_try_skeleton(reader, clip, num_frames))
        except ClipError as error:
            # Reading poses in pixels may read the video's size; a fault of the video is reported once.
            if error.rule not in [fault.rule for fault in findings if isinstance(fault, SampleFault)]:
                findings.append(_fault(clip, "skeleton", clip.skeleton_path, error))
    return findings


def _try_skeleton(reader: DatasetReader, clip: ClipSource, num_frames: int | None) -> Iterator[Finding]:
    skeleton = read_skeleton(reader, clip)
    if isinstance(reader, TakesPoses):
        yield sample_poses(skeleton, reader.joint_layout)
    if skeleton.is_joined:
        yield JoinedTracks(clip.clip_id)
    if not reader.channels and (content := skeleton_content(skeleton)):
        yield SkeletonContent(clip.clip_id, content)
    if reader.channels:
        # The skeleton's image size replaces the video's, which is only known by decoding.
        skeleton_box(skeleton, width_px=skeleton.image_width_px, height_px=skeleton.image_height_px)
    if num_frames is not None and reader.joint_layout.planar and num_frames != skeleton.num_frames:
        yield UnequalFrames(clip.clip_id, num_frames, skeleton.num_frames)


def _fault(clip: ClipSource, kind: Kind, path: Path | None, error: ClipError) -> SampleFault:
    got = "" if error.got is None or path is None else one_line(str(error.got))
    return SampleFault(clip.clip_id, kind, path, error.rule, got, error.hint)
