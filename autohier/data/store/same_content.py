"""Clips of a store with the same content, found when the store is finished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from autohier.data.store.manifest import FrozenRecord, load_record
from autohier.data.store.paths import prepare_command
from autohier.data.store.schema import row_skeleton
from autohier.data.transforms.content import skeleton_content
from autohier.errors import MissingDataError

SAME_CONTENT = "same_content.json"


class SameContent(FrozenRecord):
    """Groups of clips with the same content. It is no part of a store's fingerprint: clips say it already."""

    groups: tuple[tuple[str, ...], ...]
    """Ids of at least two clips each."""


def find_same_content(shards: Sequence[pa.RecordBatch], layout: str) -> SameContent:
    """Compare all clips of a store: by their frames if they have any, else by their rounded skeletons.

    Reads every frame's bytes once. The same frames that are cropped alike have the same bytes.

    Args:
        shards: the store's shards.
        layout: name of the joint layout.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for shard in shards:
        for index, clip_id in enumerate(shard.column("clip_id").to_pylist()):
            content = _frames_content(shard, index) or skeleton_content(row_skeleton(shard, index, layout))
            if content:
                groups[content].append(clip_id)
    return SameContent(groups=tuple(tuple(group) for group in groups.values() if len(group) > 1))


def number_content(folder: Path, clip_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return a number for each clip, equal for clips with the same content.

    Args:
        folder: folder of a finished store.
        clip_ids: ids of its clips.

    Raises:
        MissingDataError: if the record is missing or damaged. It decides which clips train, and is not in
            the fingerprint of the store.
    """
    path = folder / SAME_CONTENT
    found = load_record(SameContent, path)
    if found is None:
        raise MissingDataError(f"{path} is missing or damaged", hint=f"run '{prepare_command(folder)}'")
    numbers = {clip_id: row for row, clip_id in enumerate(clip_ids)}
    content = np.arange(len(clip_ids))
    for group in found.groups:
        rows = [numbers[clip_id] for clip_id in group if clip_id in numbers]
        content[rows] = min(rows, default=0)
    return content


def _frames_content(shard: pa.RecordBatch, index: int) -> str:
    frames = shard.column("frames")[index].values
    if not len(frames):
        return ""
    state = sha256()
    for frame in frames:
        state.update(len(frame.as_buffer()).to_bytes(8, "little"))
        state.update(frame.as_buffer())
    return state.hexdigest()
