"""Progress and result of a preparation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.poses.pose_checks import sample_poses, warn_poses
from autohier.data.protocols import PROTOCOLS
from autohier.data.store.manifest import Receipt, load_record
from autohier.data.store.reader import ClipStore
from autohier.data.store.same_content import SAME_CONTENT, SameContent
from autohier.data.transforms.sampling import evenly_spaced

_SAMPLED_CLIPS = 200


@dataclass(frozen=True, slots=True)
class PrepareProgress:
    """Progress of a running preparation.

    Attributes:
        num_done: clips done, including those of reused shards.
        num_clips: clips to prepare.
        num_rejected: clips that cannot be prepared.
        num_reused: clips of shards that an earlier run finished.
        elapsed_s: seconds since the start of this run.
    """

    num_done: int
    num_clips: int
    num_rejected: int
    num_reused: int
    elapsed_s: float

    @property
    def clips_per_s(self) -> float:
        """Speed of this run; 0 before its first clip."""
        num_computed = self.num_done - self.num_reused
        return num_computed / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Estimated seconds until the end; None while the speed is unknown."""
        return (self.num_clips - self.num_done) / self.clips_per_s if self.clips_per_s > 0 else None


@dataclass(frozen=True, slots=True)
class PrepareSummary:
    """Result of a preparation.

    Attributes:
        store_folder: folder of the store.
        num_clips: clips in the store.
        num_rejected: clips of the source that are not in the store.
        rejected_by_kind: each broken rule with the number of files that break it, most frequent first.
        split_findings: sentences on split sizes that differ from the published ones.
        num_bytes: size of the shards.
        elapsed_s: duration of this run.
        fingerprint: fingerprint of the store; None if other parts are still to be prepared.
        num_unequal: clips of a finished store whose poses and video have different numbers of frames.
        num_repeated: clips of a finished store whose content an earlier clip has.
        same_content: ids of the clips of each group of equal content in a finished store.
        stalled: ids of clips of a finished store of whose stored frames fewer than half are distinct.
        pose_warnings: likely faults in the units of a finished store's poses, if these are the user's own.
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
    num_repeated: int = 0
    same_content: tuple[tuple[str, ...], ...] = ()
    stalled: tuple[str, ...] = ()
    pose_warnings: tuple[DatasetWarning, ...] = ()


def summarize_part(folder: Path, receipts: Sequence[Receipt], elapsed_s: float) -> PrepareSummary:
    """Summarize one finished part of an unfinished store."""
    return PrepareSummary(
        store_folder=folder,
        num_clips=sum(receipt.entry.num_rows for receipt in receipts),
        num_rejected=sum(receipt.num_rejected for receipt in receipts),
        rejected_by_kind=_count_kinds(receipts),
        split_findings=(),
        num_bytes=sum(receipt.entry.num_bytes for receipt in receipts),
        elapsed_s=elapsed_s,
        fingerprint=None,
    )


def summarize_store(folder: Path, receipts: Iterable[Receipt], elapsed_s: float) -> PrepareSummary:
    """Summarize a finished store."""
    store = ClipStore.open(folder)
    same = load_record(SameContent, folder / SAME_CONTENT)
    groups = () if same is None else same.groups
    return PrepareSummary(
        store_folder=folder,
        num_clips=store.manifest.num_clips,
        num_rejected=store.manifest.num_rejected,
        rejected_by_kind=_count_kinds(receipts),
        split_findings=store.manifest.split_findings,
        num_bytes=sum(entry.num_bytes for entry in store.manifest.shards),
        elapsed_s=elapsed_s,
        fingerprint=store.fingerprint,
        num_unequal=_count_unequal(store),
        num_repeated=sum(len(group) - 1 for group in groups),
        same_content=groups,
        stalled=tuple(_find_stalled(store)),
        pose_warnings=tuple(_warn_poses(store)),
    )


def _count_kinds(receipts: Iterable[Receipt]) -> tuple[tuple[str, int], ...]:
    kinds = Counter(rejection.kind for receipt in receipts for rejection in receipt.rejections)
    return tuple(kinds.most_common())


def _warn_poses(store: ClipStore) -> Iterator[DatasetWarning]:
    if store.manifest.dataset in PROTOCOLS:
        return iter(())
    rows = evenly_spaced(len(store), _SAMPLED_CLIPS)
    samples = [sample_poses(store.skeleton(row), store.manifest.layout) for row in rows]
    return warn_poses(samples, has_video=store.manifest.channels > 0)


def _find_stalled(store: ClipStore) -> Iterator[str]:
    """Yield the clips that show few frames for most of their time, as if their time stamps jumped."""
    for row, clip_id in enumerate(store.clips.clip_id):
        indices = store.frame_indices(row)
        if 2 * len(np.unique(indices)) < len(indices):
            yield clip_id


def _count_unequal(store: ClipStore) -> int:
    if not store.manifest.channels or not store.manifest.layout.planar:
        return 0
    return int((store.skeleton_lengths() != store.clips.num_frames).sum())
