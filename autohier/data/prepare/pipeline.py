"""Preparation of a dataset: its clips become a store, shard by shard, in worker processes.

A shard is published together with a receipt once all its clips are done. A later run reuses the shards that
have a current receipt. Rows are ordered by clip id for any number of workers. Imports no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from autohier.data.datasets.base import (
    ClipSource,
    DatasetReader,
    are_skeletons_alone,
    joint_shape_of,
    pose_units_of,
)
from autohier.data.datasets.common.given_hierarchy import levels_of
from autohier.data.datasets.registry import modalities_in
from autohier.data.prepare.disk_space import check_disk_space, describe_disk_space
from autohier.data.prepare.fingerprints import is_finished
from autohier.data.prepare.parts import WHOLE_DATASET, Part
from autohier.data.prepare.pool import check_workers, prepare_shards
from autohier.data.prepare.store_writer import claim_folder, finish_store
from autohier.data.prepare.summary import PrepareProgress, PrepareSummary, summarize_part, summarize_store
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.paths import MANIFEST, receipt_path
from autohier.data.store.persons import PERSON_RULES
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, MissingDataError
from autohier.text import plural

SHARD_CLIPS = 64


def prepare_dataset(
    reader: DatasetReader,
    source: Path,
    store_folder: Path,
    *,
    size_px: int = 256,
    max_frames: int = 40,
    jpeg_quality: int = 90,
    crop: bool = True,
    without_skeleton: Literal["reject", "whole-frame"] = "reject",
    reader_settings: Mapping[str, Any] | None = None,
    num_workers: int | None = None,
    part: Part = WHOLE_DATASET,
    on_progress: Callable[[PrepareProgress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> PrepareSummary:
    """Prepare all clips of a source into a store, or finish a preparation that was stopped.

    The part that ends last finishes the store. Shards from other machines count once they are copied into
    the folder.

    Args:
        reader: reader of the dataset.
        source: folder of the dataset's own files.
        store_folder: folder of the store.
        size_px: side of the square frames.
        max_frames: frames kept per clip, evenly spaced; by default 40, so that HAC's five sets of eight
            segments differ.
        jpeg_quality: 1..95.
        crop: True crops frames to the skeleton's box; False resizes the whole frame.
        without_skeleton: ``reject`` leaves out a clip without a usable skeleton; ``whole-frame`` keeps it
            uncropped, as HAC's clip counts imply.
        reader_settings: settings that the reader was opened with (see `dataset_settings`), for the records.
        num_workers: number of worker processes; None for one per usable core, 1 works in this process.
        part: the part to prepare.
        on_progress: called in the calling thread: after each clip with one worker, else twice a second.
        on_message: called once with the estimated size of the store.

    Raises:
        InputError: if an option is out of range, the source's ``hierarchy.csv`` breaks a rule, the folder
            holds a store of other options or of another source, the disk is too small, the store cannot be
            written or a worker is killed; finished shards are kept.
        MissingDataError: if the source holds no clips, or none that can be prepared.
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
        reader_settings=dict(reader_settings or {}),
        pose_units=pose_units_of(reader).text,
        joint_shape=joint_shape_of(reader),
        person_rule=PERSON_RULES.get(reader.name, ""),
    )
    levels = levels_of(reader, source)
    clips = _find_clips(reader, source)
    _check_same_source(store_folder, reader, clips)
    if claim_folder(store_folder, options) and on_message is not None:
        on_message("prepared again: the store was prepared by an earlier rule for persons")
    shards = dict(
        enumerate(clips[start : start + SHARD_CLIPS] for start in range(0, len(clips), SHARD_CLIPS))
    )
    own = {index: shard for index, shard in shards.items() if part.contains(index)}
    num_own = sum(map(len, own.values()))
    estimate = _estimate_disk_space(reader, options, store_folder, own, shards)
    if estimate and on_message is not None:
        on_message(estimate)

    def report(num_done: int, num_rejected: int, num_reused: int) -> None:
        if on_progress is not None:
            elapsed_s = time.monotonic() - start_s
            on_progress(PrepareProgress(num_done, num_own, num_rejected, num_reused, elapsed_s))

    report(0, 0, 0)
    try:
        receipts = prepare_shards(
            reader, options, store_folder, own, num_workers=num_workers, on_progress=report
        )
        if len(own) < len(shards):
            if not all(is_finished(options, store_folder, index, shard) for index, shard in shards.items()):
                return summarize_part(store_folder, receipts, time.monotonic() - start_s)
            # Collect the receipts of all parts, and prepare damaged shards again.
            receipts = prepare_shards(
                reader, options, store_folder, shards, num_workers=num_workers, on_progress=lambda *_: None
            )
        finish_store(reader, options, store_folder, receipts, source, levels)
    except OSError as error:
        raise InputError(
            "a store must be writable", got=error, hint="fix that and run again: finished shards are kept"
        ) from error
    return summarize_store(store_folder, receipts, time.monotonic() - start_s)


def _find_clips(reader: DatasetReader, source: Path) -> list[ClipSource]:
    clips = reader.find_clips(source)
    if reader.channels and are_skeletons_alone(clips):
        others = modalities_in(reader.name, source)
        raise MissingDataError(
            f"a source of {reader.name} must contain videos to prepare {reader.modality} frames",
            got=f"skeletons alone, of {plural(len(clips), 'clip')}",
            hint=f"add {' or '.join(f'--modality {one}' for one in others or ('skeleton',))}",
        )
    return clips


def _check_same_source(store_folder: Path, reader: DatasetReader, clips: Sequence[ClipSource]) -> None:
    """Refuse to replace a finished store by another source's clips."""
    if not (store_folder / MANIFEST).is_file():
        return
    try:
        store = ClipStore.open(store_folder)
    except MissingDataError:
        return  # a damaged store is repaired and one of another version is refused later
    stored_ids = set(store.clips.clip_id)
    is_same_layout = store.manifest.joint_layout == reader.joint_layout.name
    if not is_same_layout or all(clip.clip_id not in stored_ids for clip in clips):
        raise InputError(
            "a store must be of one source",
            got=f"{store_folder}, whose {plural(len(store), 'clip')} "
            + ("have other names" if is_same_layout else f"have joints of {store.manifest.joint_layout}"),
            hint="prepare under another --name or --data, or delete it first",
        )


def _estimate_disk_space(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    own: Mapping[int, Sequence[ClipSource]],
    shards: Mapping[int, Sequence[ClipSource]],
) -> str:
    """Return a line on the disk space that unfinished shards need; empty if they hold less than a shard."""
    pending = {i: clips for i, clips in own.items() if not is_finished(options, folder, i, clips)}
    if sum(map(len, pending.values())) < SHARD_CLIPS:
        return ""
    others = {
        i: clips for i, clips in shards.items() if i not in own and not receipt_path(folder, i).exists()
    }
    return describe_disk_space(*check_disk_space(reader, options, folder, pending, others))
