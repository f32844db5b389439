"""Checking a dataset's own files before hours are spent on preparing them: what is there, what is wrong."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from autohier.data.checking_faults import FaultGroup, group_faults
from autohier.data.checking_files import Duplicates, find_duplicates, find_same_entries, find_same_names
from autohier.data.checking_samples import Kind, SampleFault, UnequalFrames, try_samples
from autohier.data.checking_splits import SplitCheck, check_split, find_protocols_across, is_published
from autohier.data.datasets.reader import ClipSource, DatasetReader, are_skeletons_alone, listed_as_missing
from autohier.data.preparation import check_workers
from autohier.data.preparation_steps import evenly_spaced
from autohier.data.splits import check_split_sizes
from autohier.data.store.reader import tabulate_sources

QUICK_CLIPS = 200

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """What was found in a dataset's own files.

    Attributes:
        num_clips: clips found.
        clips_per_class: least, median and most clips of a class, those without any included.
        empty_classes: names of the classes without clips.
        splits: one entry per protocol.
        split_findings: sentences on split sizes that differ from the published ones.
        num_tried: clips whose files were read; fewer than ``num_clips`` where the check was quick.
        faults: files that cannot be read, by the rule that they break.
        without_skeleton: clips that come without a skeleton file, of all clips but those of the next.
        listed_missing: clips that the dataset's authors list as without a usable skeleton.
        duplicates: the same content under different clips, among those that were read.
        unequal: clips whose poses are of another number of frames than the video that they were found in.
        same_names: files of one name in several folders: the one that is read, then the others.
        num_rejected: clips that would not be prepared, as far as is known.
        num_amiss: those of them that neither the authors' list nor published sizes leave out.
        is_published_without: whether the published sizes are those without the clips that have no skeleton.
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
    same_names: tuple[tuple[Path, ...], ...]
    num_rejected: int
    num_amiss: int
    is_published_without: bool

    @property
    def is_sound(self) -> bool:
        """Whether no clip is rejected that should not be, and split sizes are the published ones."""
        return not self.num_amiss and not self.split_findings


def check_dataset(
    reader: DatasetReader,
    source: Path,
    *,
    quick: bool = False,
    keep_all: bool = False,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> DatasetCheck:
    """Look at all clips under a folder, and change nothing.

    Clips are counted and divided by their names. Their files are then compared, and read without decoding
    frames, which costs one pass over the bytes of all videos: damage within a frame shows when clips are
    prepared.

    Args:
        reader: of the dataset.
        source: folder of the dataset's own files, or the file.
        quick: whether to read the files of 200 evenly spaced clips only.
        keep_all: whether clips without a usable skeleton will be kept, so that none is rejected for that.
        num_workers: processes; None for one per usable core, 1 for none beside this one.
        progress: called now and then with what is being done, the clips or files done and those in all.

    Raises:
        InputError: where the number of workers is out of range or a worker was killed.
        MissingDataError: where the source holds no clips.
    """
    num_workers = check_workers(num_workers)
    clips = reader.find_clips(source)
    table = tabulate_sources(clips)
    tried = [clips[index] for index in evenly_spaced(len(clips), QUICK_CLIPS)] if quick else clips

    def telling(what: str) -> Callable[[int, int], None]:
        return lambda num_done, num_all: progress(what, num_done, num_all) if progress else None

    duplicates = find_duplicates(tried, tell=telling("comparing"))
    findings = try_samples(reader, tried, num_workers=num_workers, tell=telling("reading"))
    faults = [finding for finding in findings if isinstance(finding, SampleFault)]
    missing = tuple(clip.clip_id for clip in clips if clip.skeleton_path is None)
    listed = listed_as_missing(reader).intersection(missing)
    without_skeleton = tuple(clip_id for clip_id in missing if clip_id not in listed)
    forgives = keep_all and reader.channels > 0
    faulty = {fault.clip_id for fault in faults}
    entries = find_same_entries(clip for clip in tried if clip.clip_id not in faulty)
    same = (*duplicates.found, *entries.found)
    across = find_protocols_across(table, reader.protocols, [one.clip_ids for one in same])
    rejected = {fault.clip_id for fault in faults if not (forgives and fault.kind == "skeleton")}
    all_rejected = rejected if forgives else rejected.union(missing)
    with_skeleton = tabulate_sources([clip for clip in clips if clip.skeleton_path is not None])
    are_left_out = all(is_published(with_skeleton, rule) for rule in reader.protocols)
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
        faults=group_faults(faults, source, _remedies(reader, clips, forgives=forgives)),
        without_skeleton=without_skeleton,
        listed_missing=tuple(sorted(listed)),
        duplicates=replace(
            duplicates,
            found=tuple(replace(one, across=names) for one, names in zip(same, across, strict=True)),
            num_entries=entries.num_entries,
        ),
        unequal=tuple(finding for finding in findings if isinstance(finding, UnequalFrames)),
        same_names=find_same_names(reader.name, source, clips),
        num_rejected=len(all_rejected),
        num_amiss=len(rejected if are_left_out else all_rejected - (listed - rejected)),
        is_published_without=are_left_out,
    )


def _remedies(reader: DatasetReader, clips: Sequence[ClipSource], *, forgives: bool) -> dict[Kind, str]:
    again = "fetch or unpack these files again"
    if forgives:
        skeleton = f"{again}, or leave them: such clips are kept whole"
    elif reader.channels:
        skeleton = f"{again}, or keep such clips whole: --keep-all"
    else:
        skeleton = f"{again}, or leave them: prepare sets them aside"
    return {
        "video": "skeletons alone are prepared with --modality skeleton"
        if are_skeletons_alone(clips)
        else f"{again}, or leave them: prepare sets them aside",
        "skeleton": skeleton,
    }
