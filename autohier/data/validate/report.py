"""Check of a dataset's own files before hours are spent on preparing them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from autohier.data.datasets.base import (
    ClipSource,
    DatasetReader,
    DatasetWarning,
    JoinsTracks,
    TakesPoses,
    are_skeletons_alone,
    listed_as_missing,
)
from autohier.data.datasets.common.given_hierarchy import levels_of
from autohier.data.datasets.common.poses.pose_checks import PoseSample, warn_poses
from autohier.data.datasets.registry import modalities_in
from autohier.data.prepare.pool import check_workers
from autohier.data.protocols import Protocol
from autohier.data.splits import check_split_sizes
from autohier.data.store.table import ClipTable, tabulate_sources
from autohier.data.superclasses import GivenSuperclasses
from autohier.data.transforms.sampling import evenly_spaced
from autohier.data.validate.duplicate_files import (
    Duplicates,
    find_duplicates,
    find_same_names,
    find_same_skeletons,
    join_duplicates,
)
from autohier.data.validate.faults import FaultGroup, group_faults
from autohier.data.validate.samples import (
    JoinedTracks,
    Kind,
    SampleFault,
    SkeletonContent,
    UnequalFrames,
    try_samples,
)
from autohier.data.validate.splits import SplitCheck, check_split, find_protocols_across, is_published

QUICK_CLIPS = 200

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """Result of checking a dataset's own files.

    Attributes:
        num_clips: clips found.
        clips_per_class: smallest, median and largest number of clips of a class, empty classes included.
        empty_classes: names of the classes without clips.
        splits: one entry per protocol.
        split_findings: sentences on split sizes that differ from the published ones.
        num_tried: clips whose files were read; fewer than ``num_clips`` if the check was quick.
        faults: unreadable files, grouped by the rule that they break.
        without_skeleton: clips without a skeleton file, except those in ``listed_missing``.
        listed_missing: clips without a skeleton file that the dataset's authors list as such.
        duplicates: equal content under different clips, among the clips whose files were read.
        unequal: clips whose poses and video have different numbers of frames.
        joined: clips with a person whose tracks were joined; None if the dataset's files hold no tracks.
        pose_warnings: likely faults in the units of poses, if these are the user's own.
        same_names: for each file name in several folders, the file that is read and then the others.
        num_rejected: clips that preparation would reject, as far as the check can know.
        num_unexpected: rejected clips that neither the authors' list nor the published sizes leave out.
        is_published_without: True if the published sizes leave out the clips without a skeleton.
        levels: superclasses of the dataset, its authors' or the user's.
    """

    num_clips: int
    clips_per_class: tuple[int, float, int]
    empty_classes: tuple[str, ...]
    splits: tuple[SplitCheck, ...]
    split_findings: tuple[str, ...]
    num_tried: int
    faults: tuple[FaultGroup, ...]
    without_skeleton: tuple[str, ...]
    listed_missing: tuple[str, ...]
    duplicates: Duplicates
    unequal: tuple[UnequalFrames, ...]
    joined: tuple[str, ...] | None
    pose_warnings: tuple[DatasetWarning, ...]
    same_names: tuple[tuple[Path, ...], ...]
    num_rejected: int
    num_unexpected: int
    is_published_without: bool
    levels: tuple[GivenSuperclasses, ...]

    @property
    def is_sound(self) -> bool:
        """True if no clip is rejected unexpectedly and split sizes agree with the published ones."""
        return not self.num_unexpected and not self.split_findings


def check_dataset(
    reader: DatasetReader,
    source: Path,
    *,
    quick: bool = False,
    keep_all: bool = False,
    num_workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> DatasetCheck:
    """Check all clips of a source without changing anything.

    Clips are found and divided by their names. Then their files are compared and read without decoding
    frames, which costs one pass over the bytes of all videos. Damage within a frame shows only when the clip
    is prepared.

    Args:
        reader: reader of the dataset.
        source: folder of the dataset's own files, or its file.
        quick: True reads only the files of 200 evenly spaced clips.
        keep_all: True if clips without a usable skeleton will be kept, so that none is rejected for that.
        num_workers: number of worker processes; None for one per usable core, 1 works in this process.
        on_progress: called with the current step ("comparing" or "reading"), the files or clips done, and
            their number.

    Raises:
        InputError: if the number of workers is out of range, a worker is killed, or the source's
            ``hierarchy.csv`` breaks a rule.
        MissingDataError: if the source holds no clips.
    """
    num_workers = check_workers(num_workers)
    levels = levels_of(reader, source)
    clips = reader.find_clips(source)
    table = tabulate_sources(clips)
    tried = [clips[index] for index in evenly_spaced(len(clips), QUICK_CLIPS)] if quick else clips

    def reporter(step: str) -> Callable[[int, int], None]:
        return lambda num_done, num_all: on_progress(step, num_done, num_all) if on_progress else None

    duplicates = find_duplicates(tried, on_progress=reporter("comparing"))
    findings = try_samples(reader, tried, num_workers=num_workers, on_progress=reporter("reading"))
    faults = [finding for finding in findings if isinstance(finding, SampleFault)]
    faulty = {fault.clip_id for fault in faults}
    contents = {each.clip_id: each.digest for each in findings if isinstance(each, SkeletonContent)}
    skeletons = find_same_skeletons((clip for clip in tried if clip.clip_id not in faulty), contents)
    missing = frozenset(clip.clip_id for clip in clips if clip.skeleton_path is None)
    listed = listed_as_missing(reader) & missing
    unlisted = missing - listed
    keeps_whole = keep_all and reader.channels > 0
    with_skeleton = tabulate_sources([clip for clip in clips if clip.skeleton_path is not None])
    is_published_without = all(is_published(with_skeleton, rule) for rule in reader.protocols)
    rejected = {fault.clip_id for fault in faults if not (keeps_whole and fault.kind == "skeleton")}
    all_rejected = rejected if keeps_whole else rejected | missing
    unexpected = rejected if is_published_without else all_rejected - (listed - rejected)
    counts = np.bincount(table.label, minlength=len(reader.class_names)).tolist()
    return DatasetCheck(
        num_clips=len(clips),
        clips_per_class=(min(counts), statistics.median(counts), max(counts)),
        empty_classes=tuple(
            name for name, count in zip(reader.class_names, counts, strict=True) if count == 0
        ),
        splits=tuple(check_split(table, rule) for rule in reader.protocols),
        split_findings=tuple(check_split_sizes(table, reader.name, reader.protocols)),
        num_tried=len(tried),
        faults=group_faults(faults, source, _hints(reader, clips, source, keeps_whole=keeps_whole)),
        without_skeleton=tuple(clip.clip_id for clip in clips if clip.clip_id in unlisted),
        listed_missing=tuple(sorted(listed)),
        duplicates=_across(join_duplicates(duplicates, skeletons), table, reader.protocols),
        unequal=tuple(finding for finding in findings if isinstance(finding, UnequalFrames)),
        joined=tuple(finding.clip_id for finding in findings if isinstance(finding, JoinedTracks))
        if isinstance(reader, JoinsTracks)
        else None,
        pose_warnings=tuple(
            warn_poses(
                [finding for finding in findings if isinstance(finding, PoseSample)],
                has_video=reader.channels > 0,
            )
        )
        if isinstance(reader, TakesPoses)
        else (),
        same_names=find_same_names(reader.name, source, clips),
        num_rejected=len(all_rejected),
        num_unexpected=len(unexpected),
        is_published_without=is_published_without,
        levels=levels,
    )


def _across(duplicates: Duplicates, table: ClipTable, protocols: Sequence[Protocol]) -> Duplicates:
    """Name the protocols whose split each group of equal clips crosses."""
    across = find_protocols_across(table, protocols, [one.clip_ids for one in duplicates.found])
    found = tuple(replace(one, across=names) for one, names in zip(duplicates.found, across, strict=True))
    return replace(duplicates, found=found)


def _hints(
    reader: DatasetReader, clips: Sequence[ClipSource], source: Path, *, keeps_whole: bool
) -> dict[Kind, str]:
    again = "fetch or unpack these files again"
    if keeps_whole:
        skeleton = f"{again}, or leave them: such clips are kept whole"
    elif reader.channels:
        skeleton = f"{again}, or keep such clips whole: --keep-all"
    else:
        skeleton = f"{again}, or leave them: prepare sets them aside"
    video = f"{again}, or leave them: prepare sets them aside"
    if are_skeletons_alone(clips):
        present = modalities_in(reader.name, source) or ["skeleton"]
        video = f"the source can be prepared with {' or '.join(f'--modality {one}' for one in present)}"
    return {
        "video": video,
        "skeleton": skeleton,
    }
