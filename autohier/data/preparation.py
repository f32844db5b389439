"""Preparing a dataset: its clips become a store, shard by shard, in worker processes.

A shard is published when all its clips are done, with a receipt; a run that was killed goes on with the
shards that have none. Rows are ordered by clip id, whatever the number of workers. Imports no torch.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autohier.data.datasets.reader import ClipSource, DatasetReader, are_skeletons_alone
from autohier.data.disk_room import check_room, describe_room
from autohier.data.preparation_inputs import is_finished
from autohier.data.preparation_pool import prepare_shards
from autohier.data.skeleton import LAYOUTS
from autohier.data.store.manifest import Receipt, StoreOptions
from autohier.data.store.paths import MANIFEST, receipt_path
from autohier.data.store.reader import ClipStore
from autohier.data.store.writer import claim_folder, finish_store
from autohier.errors import InputError, MissingDataError

SHARD_CLIPS = 64


@dataclass(frozen=True, slots=True)
class PrepareProgress:
    """How far a preparation is.

    Attributes:
        num_done: clips dealt with, those of finished shards included.
        num_clips: clips in all.
        num_rejected: clips that cannot be prepared.
        num_found: clips that an earlier run had finished.
        elapsed_s: since the start of this run.
    """

    num_done: int
    num_clips: int
    num_rejected: int
    num_found: int
    elapsed_s: float

    @property
    def clips_per_s(self) -> float:
        """Speed of this run; 0 before its first clip."""
        num_computed = self.num_done - self.num_found
        return num_computed / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Time to go at that speed; None while it is unknown."""
        return (self.num_clips - self.num_done) / self.clips_per_s if self.clips_per_s > 0 else None


@dataclass(frozen=True, slots=True)
class PrepareSummary:
    """What a preparation has made.

    Attributes:
        store_folder: where the store is.
        num_clips: clips in it.
        num_rejected: clips that were found and are not in it.
        rejected_by_kind: broken rule and how many files broke it, the most frequent first.
        split_findings: sentences on split sizes that differ from the published ones.
        num_bytes: size of its shards.
        elapsed_s: how long this run took.
        fingerprint: of the store; None where other parts of it are still to be prepared.
        num_unequal: clips in a finished store whose poses are of another number of frames than the video that
            they were found in.
    """

    store_folder: Path
    num_clips: int
    num_rejected: int
    rejected_by_kind: tuple[tuple[str, int], ...]
    split_findings: tuple[str, ...]
    num_bytes: int
    elapsed_s: float
    fingerprint: str | None
    num_unequal: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One of so many parts of a preparation; they may run on different machines, in one folder.

    Attributes:
        number: from 1.
        of: how many there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def of_text(cls, text: str) -> Part:
        """A part as a user writes it, e.g. "3/8".

        Raises:
            InputError: where it is no part.
        """
        match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
        if not match or int(match[1]) > int(match[2]):
            raise InputError("a part must be written as its number of how many, as 3/8", got=repr(text))
        return cls(int(match[1]), int(match[2]))

    def holds(self, shard: int) -> bool:
        """Whether a shard, counted from 0, belongs to it."""
        return shard % self.of == self.number - 1


WHOLE = Part()


def prepare_dataset(
    reader: DatasetReader,
    source: Path,
    store_folder: Path,
    *,
    size_px: int = 256,
    max_frames: int = 32,
    jpeg_quality: int = 90,
    crop: bool = True,
    without_skeleton: Literal["reject", "whole-frame"] = "reject",
    num_workers: int | None = None,
    part: Part = WHOLE,
    progress: Callable[[PrepareProgress], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> PrepareSummary:
    """Prepare all clips under a folder into a store, or finish a preparation that was stopped.

    Of several parts the one that ends last makes the store; shards that were prepared elsewhere count once
    they lie in the folder.

    Args:
        reader: of the dataset.
        source: folder of the dataset's own files.
        store_folder: where the store goes.
        size_px: side of the square frames.
        max_frames: frames kept per clip, evenly spaced.
        jpeg_quality: 1..95.
        crop: whether to cut frames to the skeleton's box; otherwise the whole frame is resized.
        without_skeleton: whether a clip without a usable skeleton is rejected, or kept uncropped as
            HAC's clip counts imply.
        num_workers: processes; None for one per usable core, 1 for none beside this one.
        part: prepare this part alone.
        progress: called now and then from the calling thread.
        say: told how much room the store will take.

    Raises:
        InputError: where an option is out of range, the folder holds a store of other options or of another
            source, the disk will not hold it, it cannot be written or a worker was killed; finished shards
            are kept.
        MissingDataError: where the source holds no clips, or none that can be prepared.
    """
    start_s = time.monotonic()
    num_workers = check_workers(num_workers)
    options = StoreOptions.checked(
        dataset=reader.name,
        modality=reader.modality,
        size_px=size_px,
        max_frames=max_frames,
        jpeg_quality=jpeg_quality,
        cropped=crop,
        without_skeleton=without_skeleton,
    )
    clips = reader.find_clips(source)
    if reader.channels and are_skeletons_alone(clips):
        raise MissingDataError(
            f"a source of {reader.name} must hold videos to prepare {reader.modality} frames",
            got=f"skeletons alone, of {len(clips):,} clips",
            remedy="add --modality skeleton",
        )
    _check_same_source(store_folder, reader, clips)
    claim_folder(store_folder, options)
    shards = dict(
        enumerate(clips[start : start + SHARD_CLIPS] for start in range(0, len(clips), SHARD_CLIPS))
    )
    own = {index: shard for index, shard in shards.items() if part.holds(index)}
    num_own = sum(map(len, own.values()))
    room = _tell_room(reader, options, store_folder, own, shards)
    if room and say is not None:
        say(room)

    def tell(num_done: int, num_rejected: int, num_found: int) -> None:
        if progress is not None:
            elapsed_s = time.monotonic() - start_s
            progress(PrepareProgress(num_done, num_own, num_rejected, num_found, elapsed_s))

    tell(0, 0, 0)
    try:
        receipts = prepare_shards(reader, options, store_folder, own, num_workers=num_workers, tell=tell)
        if len(own) < len(shards):
            if not all(is_finished(options, store_folder, index, shard) for index, shard in shards.items()):
                return _summarise_part(store_folder, receipts, time.monotonic() - start_s)
            receipts = prepare_shards(
                reader, options, store_folder, shards, num_workers=num_workers, tell=lambda *_: None
            )
        finish_store(reader, options, store_folder, receipts)
    except OSError as error:
        raise InputError(
            "a store must be writable", got=error, remedy="mend that and run again: finished shards are kept"
        ) from error
    return _summarise(store_folder, receipts, time.monotonic() - start_s)


def _check_same_source(store_folder: Path, reader: DatasetReader, clips: Sequence[ClipSource]) -> None:
    """Refuse to put another source's clips in the place of a finished store."""
    if not (store_folder / MANIFEST).is_file():
        return
    try:
        store = ClipStore.open(store_folder)
    except MissingDataError:
        return  # it is damaged or of another version, which is mended or told from here on
    held = set(store.clips.clip_id)
    is_same_layout = store.manifest.joint_layout == reader.joint_layout.name
    if not is_same_layout or all(clip.clip_id not in held for clip in clips):
        raise InputError(
            "a store must be of one source",
            got=f"{store_folder}, whose {len(store):,} clips "
            + ("have other names" if is_same_layout else f"have joints of {store.manifest.joint_layout}"),
            remedy="prepare under another --name or --data, or delete it first",
        )


def _tell_room(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    own: Mapping[int, Sequence[ClipSource]],
    shards: Mapping[int, Sequence[ClipSource]],
) -> str:
    """How much room what is left will take; empty where that is less than a shard."""
    left = {i: clips for i, clips in own.items() if not is_finished(options, folder, i, clips)}
    if sum(map(len, left.values())) < SHARD_CLIPS:
        return ""
    others = {
        i: clips for i, clips in shards.items() if i not in own and not receipt_path(folder, i).exists()
    }
    return describe_room(*check_room(reader, options, folder, left, others))


def check_workers(num_workers: int | None) -> int:
    """How many processes to use: as many as are asked for, or one per usable core.

    Raises:
        InputError: where less than one is asked for.
    """
    if num_workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_workers < 1:
        raise InputError("the number of workers must be at least 1", got=num_workers)
    return num_workers


def _summarise_part(folder: Path, receipts: Sequence[Receipt], elapsed_s: float) -> PrepareSummary:
    return PrepareSummary(
        store_folder=folder,
        num_clips=sum(receipt.entry.num_rows for receipt in receipts),
        num_rejected=sum(receipt.num_rejected for receipt in receipts),
        rejected_by_kind=_kinds(receipts),
        split_findings=(),
        num_bytes=sum(receipt.entry.num_bytes for receipt in receipts),
        elapsed_s=elapsed_s,
        fingerprint=None,
    )


def _kinds(receipts: Iterable[Receipt]) -> tuple[tuple[str, int], ...]:
    kinds = Counter(rejection.kind for receipt in receipts for rejection in receipt.rejections)
    return tuple(kinds.most_common())


def _summarise(folder: Path, receipts: Iterable[Receipt], elapsed_s: float) -> PrepareSummary:
    store = ClipStore.open(folder)
    return PrepareSummary(
        store_folder=folder,
        num_clips=store.manifest.num_clips,
        num_rejected=store.manifest.num_rejected,
        rejected_by_kind=_kinds(receipts),
        split_findings=store.manifest.split_findings,
        num_bytes=sum(entry.num_bytes for entry in store.manifest.shards),
        elapsed_s=elapsed_s,
        fingerprint=store.fingerprint,
        num_unequal=_count_unequal(store),
    )


def _count_unequal(store: ClipStore) -> int:
    if not store.manifest.channels or not LAYOUTS[store.manifest.joint_layout].planar:
        return 0
    return int((store.skeleton_lengths() != store.clips.num_frames).sum())
