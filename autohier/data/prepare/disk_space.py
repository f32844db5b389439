"""Estimate of the disk space that a store needs, before hours are spent. Imports no torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.clip_files import list_files
from autohier.data.datasets.base import ClipSource, DatasetReader
from autohier.data.prepare.clip import BadFileError, prepare_clip
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.paths import shard_path
from autohier.data.store.schema import encode_shard
from autohier.errors import InputError
from autohier.text import plural

_NUM_SAMPLES = 4
_MARGIN = 0.1
"""Share of the written bytes: clips differ in size, and a shard is written before the old one is removed."""

Shards = Mapping[int, Sequence[ClipSource]]


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Disk space that some shards need.

    Attributes:
        num_clips: clips in the shards.
        written_bytes: estimated size of the shards.
        added_bytes: written bytes minus those of the files that the shards replace; may be negative.
        free_bytes: free bytes of the disk now.
    """

    num_clips: int
    written_bytes: int
    added_bytes: int
    free_bytes: int

    @property
    def is_enough(self) -> bool:
        """True if the shards fit with a margin of 10%."""
        return self.added_bytes + _MARGIN * self.written_bytes <= self.free_bytes

    def __str__(self) -> str:
        return f"{plural(self.num_clips, 'clip')}, about {_format_bytes(max(0, self.added_bytes))}"


def check_disk_space(
    reader: DatasetReader, options: StoreOptions, store_folder: Path, own: Shards, others: Shards
) -> tuple[DiskSpace, DiskSpace]:
    """Estimate the space of shards by preparing a sample of four clips.

    Args:
        reader: reader of the clips' dataset.
        options: preparation options of the clips.
        store_folder: folder of the store; need not exist yet.
        own: shards that this process still has to prepare.
        others: shards that the processes of other parts still have to prepare.

    Returns:
        The space for ``own``, and the space for all shards if they go into the same folder.

    Raises:
        InputError: if ``own`` does not fit the disk.
    """
    clips = [clip for shard in own.values() for clip in shard]
    step = max(1, len(clips) // _NUM_SAMPLES)
    sizes = [_prepared_bytes(reader, clip, options) for clip in clips[step // 2 :: step][:_NUM_SAMPLES]]
    clip_bytes = sum(sizes) / max(1, len(sizes))
    free_bytes = shutil.disk_usage(_existing_parent(store_folder)).free

    def estimate(shards: Shards) -> DiskSpace:
        num_clips = sum(map(len, shards.values()))
        written_bytes = round(num_clips * clip_bytes)
        added_bytes = written_bytes - _existing_bytes(store_folder, shards)
        return DiskSpace(num_clips, written_bytes, added_bytes, free_bytes)

    needed = estimate(own)
    if not needed.is_enough:
        raise InputError(
            f"the store of {plural(needed.num_clips, 'clip')} must fit the disk",
            got=f"about {_format_bytes(needed.added_bytes)}, and {_format_bytes(free_bytes)} are free",
            hint="free some space, prepare elsewhere with --data, or lower --frames or --size",
        )
    return needed, estimate({**own, **others})


def describe_disk_space(own: DiskSpace, whole: DiskSpace) -> str:
    """Return one line on the result of `check_disk_space`."""
    free = f"{_format_bytes(own.free_bytes)} are free"
    if own == whole:
        return f"{own}; {free}"
    short = "" if whole.is_enough else ", too little for all parts"
    return f"this part: {own}; all parts: {whole}; {free}{short}"


def _format_bytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"


def _existing_bytes(store_folder: Path, indices: Iterable[int]) -> int:
    return sum(state.st_size for index in indices for _, state in list_files(shard_path(store_folder, index)))


def _prepared_bytes(reader: DatasetReader, clip: ClipSource, options: StoreOptions) -> int:
    try:
        prepared, _ = prepare_clip(reader, clip, options)
    except BadFileError:  # preparation will reject the clip, which then takes no space
        return 0
    return len(encode_shard([prepared]))


def _existing_parent(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
