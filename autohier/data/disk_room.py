"""Whether a store will fit its disk: told before hours are spent. Imports no torch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from autohier.data.datasets.reader import ClipSource, DatasetReader
from autohier.data.preparation_steps import BadFileError, prepare_clip
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.schema import encode_shard
from autohier.errors import InputError

_NUM_TRIED = 4
_SPARE = 1.1
"""Clips differ in size, and shards are written beside what they replace."""


def check_room(
    reader: DatasetReader, options: StoreOptions, clips: Sequence[ClipSource], store_folder: Path
) -> tuple[int, int]:
    """Estimate what clips will take from a few of them, which costs preparing these.

    Args:
        reader: of the clips' dataset.
        options: how they will be prepared.
        clips: those that are still to be prepared.
        store_folder: where; it need not be there yet.

    Returns:
        Bytes that the clips will take, and bytes that are free.

    Raises:
        InputError: where they will not fit.
    """
    step = max(1, len(clips) // _NUM_TRIED)
    sizes = [_num_bytes(reader, clip, options) for clip in clips[step // 2 :: step][:_NUM_TRIED]]
    needed = round(len(clips) * sum(sizes) / max(1, len(sizes)))
    free = shutil.disk_usage(_nearest(store_folder)).free
    if needed * _SPARE > free:
        raise InputError(
            f"the store of {len(clips):,} clips must fit the disk",
            got=f"about {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free",
            remedy="make room, prepare elsewhere with --data, or keep fewer --frames or a smaller --size",
        )
    return needed, free


def _num_bytes(reader: DatasetReader, clip: ClipSource, options: StoreOptions) -> int:
    try:
        prepared, _ = prepare_clip(reader, clip, options)
    except BadFileError:  # preparation will say so, and it takes no room
        return 0
    return len(encode_shard([prepared]))


def _nearest(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
