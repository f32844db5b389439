"""Whether a store will fit its disk: told before hours are spent. Imports no torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.clip_files import list_files
from autohier.data.datasets.reader import ClipSource, DatasetReader
from autohier.data.preparation_steps import BadFileError, prepare_clip
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.paths import shard_path
from autohier.data.store.schema import encode_shard
from autohier.errors import InputError

_NUM_TRIED = 4
_SPARE = 0.1
"""Share of what is written: clips differ in size, and shards are written beside what they replace."""

Shards = Mapping[int, Sequence[ClipSource]]


@dataclass(frozen=True, slots=True)
class Room:
    """What shards will take of a disk.

    Attributes:
        num_clips: clips in them.
        written_bytes: their size.
        added_bytes: by how much they exceed what they replace; below 0 where that was larger.
        free_bytes: of the disk, now.
    """

    num_clips: int
    written_bytes: int
    added_bytes: int
    free_bytes: int

    @property
    def is_enough(self) -> bool:
        """Whether they fit, with something to spare."""
        return self.added_bytes + _SPARE * self.written_bytes <= self.free_bytes

    def __str__(self) -> str:
        return f"{self.num_clips:,} clips, about {_told(max(0, self.added_bytes))}"


def check_room(
    reader: DatasetReader, options: StoreOptions, store_folder: Path, own: Shards, others: Shards
) -> tuple[Room, Room]:
    """Estimate what shards will take from a few of their clips, which costs preparing these.

    Args:
        reader: of the clips' dataset.
        options: how they will be prepared.
        store_folder: where; it need not be there yet.
        own: the shards that are still to be prepared here.
        others: those that other parts have still to prepare.

    Returns:
        What the first will take, and what all will if they come into the same folder.

    Raises:
        InputError: where the first will not fit.
    """
    clips = [clip for shard in own.values() for clip in shard]
    step = max(1, len(clips) // _NUM_TRIED)
    sizes = [_num_bytes(reader, clip, options) for clip in clips[step // 2 :: step][:_NUM_TRIED]]
    clip_bytes = sum(sizes) / max(1, len(sizes))
    free_bytes = shutil.disk_usage(_nearest(store_folder)).free

    def room(shards: Shards) -> Room:
        num_clips = sum(map(len, shards.values()))
        written_bytes = round(num_clips * clip_bytes)
        return Room(num_clips, written_bytes, written_bytes - _present(store_folder, shards), free_bytes)

    needed = room(own)
    if not needed.is_enough:
        raise InputError(
            f"the store of {needed.num_clips:,} clips must fit the disk",
            got=f"about {_told(needed.added_bytes)}, and {_told(free_bytes)} are free",
            remedy="make room, prepare elsewhere with --data, or keep fewer --frames or a smaller --size",
        )
    return needed, room({**own, **others})


def describe_room(own: Room, whole: Room) -> str:
    """What `check_room` has found, in a line."""
    free = f"{_told(own.free_bytes)} are free"
    if own == whole:
        return f"{own}; {free}"
    short = "" if whole.is_enough else ", too little for all parts"
    return f"this part: {own}; all parts: {whole}; {free}{short}"


def _told(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"


def _present(store_folder: Path, indices: Iterable[int]) -> int:
    return sum(state.st_size for index in indices for _, state in list_files(shard_path(store_folder, index)))


def _num_bytes(reader: DatasetReader, clip: ClipSource, options: StoreOptions) -> int:
    try:
        prepared, _ = prepare_clip(reader, clip, options)
    except BadFileError:  # preparation will say so, and it takes no room
        return 0
    return len(encode_shard([prepared]))


def _nearest(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
