"""Poses of videos: one pose file for each, and one pickle for all.

Legend: M persons, T frames, V joints.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autohier.data.datasets.base import Origin
from autohier.data.datasets.common.poses.pose_file import read_pose_file
from autohier.data.datasets.custom.reader import build_custom
from autohier.data.export.pyskl import annotate, split_lists, write_annotations
from autohier.data.joint_layout import JointLayout
from autohier.data.store.table import tabulate_sources
from autohier.data.video.decoding import count_frames, decode_frames, video_size
from autohier.errors import ClipError, MissingDataError
from autohier.files import write_atomically
from autohier.poses.estimator import FoundPerson, PoseEstimator
from autohier.poses.tracking import Poses, follow
from autohier.poses.videos import PoseJob


@dataclass(frozen=True, slots=True)
class VideoResult:
    """Result of one video."""

    video: Path
    num_frames: int = 0
    num_with_person: int = 0
    """Frames in which a person was found."""
    num_persons: int = 0
    fault: str = ""
    """Reason why the video has no pose file; empty if it has one."""
    is_earlier: bool = False
    """True if the pose file existed before."""


def find_poses(
    videos: Sequence[PoseJob],
    estimator: PoseEstimator,
    *,
    max_persons: int,
    on_frame: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[VideoResult]:
    """Find the poses of each video and write its pose file; existing pose files are kept.

    Costs one decoding of each video, and one or two runs of the networks for each person and frame.

    Args:
        videos: the videos.
        estimator: finds the persons of a frame.
        max_persons: persons of a video that are kept.
        on_frame: called with the number of finished frames of a video, and of all its frames.

    Raises:
        OSError: if a pose file cannot be written.
    """
    for each in videos:
        if each.file.is_file():
            yield VideoResult(each.video, is_earlier=True)
            continue
        try:
            num_frames = count_frames(each.video)
            persons = _persons(each.video, num_frames, estimator, on_frame)
            poses = follow(persons, num_joints=estimator.layout.num_joints, max_persons=max_persons)
            size_px = video_size(each.video)
        except ClipError as error:
            yield VideoResult(each.video, fault=str(error))
            continue
        num_persons = len(poses.keypoint_MTV2)
        if not num_persons:
            yield VideoResult(each.video, num_frames, fault=f"no person in {num_frames:,} frames")
            continue
        _write(each.file, poses, size_px)
        seen = int(poses.keypoint_score_MTV.any(axis=(0, 2)).sum())
        yield VideoResult(each.video, num_frames, seen, num_persons)


def _persons(
    video: Path, num_frames: int, estimator: PoseEstimator, on_frame: Callable[[int, int], None]
) -> Iterator[list[FoundPerson]]:
    estimator.start_video()
    for number, frame_HW3 in enumerate(decode_frames(video, range(num_frames))):
        height_px, width_px = frame_HW3.shape[:2]
        inside = [seen_in_frame(each, width_px, height_px) for each in estimator.find(frame_HW3)]
        yield [person for person in inside if person.scores_V.any()]
        on_frame(number + 1, num_frames)


def seen_in_frame(person: FoundPerson, width_px: int, height_px: int) -> FoundPerson:
    """Return the person with joints outside the frame set to 0, since an estimator can only guess them."""
    last = np.array([width_px, height_px], dtype=np.float32)
    is_inside_V = np.all((person.joints_V2 >= 0) & (person.joints_V2 <= last), axis=1)
    return FoundPerson(
        np.where(is_inside_V[:, None], person.joints_V2, np.float32(0)),
        np.where(is_inside_V, person.scores_V, np.float32(0)),
    )


def _write(file: Path, poses: Poses, size_px: tuple[int, int]) -> None:
    content = io.BytesIO()
    width_px, height_px = size_px
    np.savez_compressed(
        content,
        keypoint=poses.keypoint_MTV2,
        keypoint_score=poses.keypoint_score_MTV,
        img_shape=np.array([height_px, width_px]),
    )
    write_atomically(file, content.getvalue())


def write_pickle(
    source: Path, videos: Sequence[PoseJob], path: Path, layout: JointLayout
) -> tuple[int, list[str]]:
    """Write the poses of a folder in the format of PYSKL and MMAction2.

    Labels, lists and poses are those that `prepare custom` would give the clips.

    Args:
        source: folder with a table or ``videos/CLASS/CLIP.mp4``.
        videos: its videos; those without a pose file are left out.
        path: the pickle.
        layout: layout of the joints.

    Returns:
        Number of clips, and a line for each pose file that cannot be read.

    Raises:
        MissingDataError: if the folder has no such clips, or none has poses.
        OSError: if the pickle cannot be written.
    """
    reader = build_custom(Origin(modality="rgb", source=source))
    file_of = {each.video: each.file for each in videos if each.file.is_file()}
    clips, annotations, faults = [], [], []
    for clip in reader.find_clips(source):
        if clip.video_path is not None and (file := file_of.get(clip.video_path)):
            try:
                skeleton = read_pose_file(file, clip.video_path, layout)
            except ClipError as error:
                faults.append(f"{file}: {error}")
                continue
            clips.append(clip)
            annotations.append(annotate(clip.clip_id, clip.label, skeleton, layout))
    if not annotations:
        reasons = "".join(f"; {each}" for each in faults[:1])
        raise MissingDataError("a pickle must hold poses", got=f"no clip with a pose file{reasons}")
    write_annotations(path, annotations, split_lists(tabulate_sources(clips), reader.protocols))
    return len(annotations), faults
