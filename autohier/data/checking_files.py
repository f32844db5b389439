"""Files of a dataset that are there twice: the same content under two clips, or one clip in two folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from autohier.data.clip_files import list_files
from autohier.data.datasets.finding import walk_source
from autohier.data.datasets.reader import ClipSource
from autohier.data.protocols import PROTOCOLS
from autohier.digest import digest, digest_file

_HEAD_BYTES = 1 << 16

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SameContent:
    """Files or folders of frames of several clips with the same bytes in them.

    Attributes:
        clip_ids: at least two; of a file that several clips share, the first of them.
        paths: one per clip; none where one file holds all clips.
        across: protocols under which some of them train and others test.
    """

    clip_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    across: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What the search for files with the same content has found, and what it cost.

    Attributes:
        found: one entry per content.
        num_read: files, or folders of frames, that had to be opened because another one is as large.
        num_bytes: what was read of them.
        num_entries: clips of one file that were compared by what it holds of them.
    """

    found: tuple[SameContent, ...]
    num_read: int
    num_bytes: int
    num_entries: int = 0


def find_duplicates(clips: Sequence[ClipSource], *, tell: Tell | None = None) -> Duplicates:
    """Find files with the same content under different clips.

    Files are told apart by their size first, then by their first 64 KiB, then by all their bytes: at worst
    every file of a size that occurs twice is opened, and only those that begin alike are read to their end.
    Empty files and files that cannot be read are passed over: reading them as clips tells what is wrong.

    Args:
        clips: of one dataset; a file that several of them share is no duplicate.
        tell: called with the files compared so far and those to compare.
    """
    owners: dict[Path, str] = {}
    for clip in clips:
        for path in (clip.video_path, clip.skeleton_path):
            if path is not None:
                owners.setdefault(path, clip.clip_id)
    sizes = {path: sum(state.st_size for _, state in list_files(path)) for path in sorted(owners)}
    alike = [group for group in _group(sizes, sizes.get) if sizes[group[0]]]
    num_alike = sum(map(len, alike))
    heads: dict[Path, str | None] = {}
    for group in alike:
        for path in group:
            heads[path] = _digest_heads(path)
            if tell is not None:
                tell(len(heads), num_alike)
    begin_alike = [same for group in alike for same in _group(group, heads.get)]
    same = [found for group in begin_alike for found in _group(group, _digest_whole)]
    num_bytes = sum(_num_head_bytes(path) for path in heads)
    num_bytes += sum(sizes[path] for group in begin_alike for path in group)
    by_clip = [{owners[path]: path for path in group} for group in same]
    found = [SameContent(tuple(paths), tuple(paths.values())) for paths in by_clip if len(paths) > 1]
    return Duplicates(tuple(found), len(heads), num_bytes)


def find_same_entries(clips: Iterable[ClipSource]) -> Duplicates:
    """Find clips of one file of which it holds the same, in all that a skeleton is made of.

    It costs a digest of what the file holds, which is in memory.

    Args:
        clips: that can be read; what cannot is alike in that alone.
    """
    digests = {clip.clip_id: clip.entry.digest() for clip in clips if clip.entry is not None}
    groups: dict[str, list[str]] = defaultdict(list)
    for clip_id, content in digests.items():
        groups[content].append(clip_id)
    found = tuple(SameContent(tuple(group), ()) for group in groups.values() if len(group) > 1)
    return Duplicates(found, num_read=0, num_bytes=0, num_entries=len(digests))


def find_same_names(name: str, source: Path, clips: Iterable[ClipSource]) -> tuple[tuple[Path, ...], ...]:
    """Files of one name in several folders, of which one is read and the others are passed over.

    That can be told of datasets whose authors named every file after its clip, and not of a user's own.

    Args:
        name: of the dataset.
        source: folder of its files.
        clips: found there.

    Returns:
        For each such name the file that is read, then the others.
    """
    if name not in PROTOCOLS:
        return ()
    used = {
        path.name.lower(): path
        for clip in clips
        for path in (clip.video_path, clip.skeleton_path)
        if path is not None and path.name.lower().startswith(clip.clip_id.lower()) and not path.is_dir()
    }
    others: dict[str, list[Path]] = defaultdict(list)
    for folder, _, names in walk_source(source):
        for file_name in names:
            path = used.get(file_name.lower())
            if path is not None and path != folder / file_name:
                others[file_name.lower()].append(folder / file_name)
    return tuple((used[file_name], *paths) for file_name, paths in sorted(others.items()))


def _group(paths: Iterable[Path], key: Callable[[Path], int | str | None]) -> list[list[Path]]:
    """Those of some paths that share a key with another one; None is no key."""
    groups: dict[int | str, list[Path]] = defaultdict(list)
    for path in paths:
        value = key(path)
        if value is not None:
            groups[value].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _num_head_bytes(path: Path) -> int:
    return sum(min(state.st_size, _HEAD_BYTES) for _, state in list_files(path))


def _digest_heads(path: Path) -> str | None:
    try:
        state = sha256()
        for file, _ in list_files(path):
            with file.open("rb") as opened:
                state.update(opened.read(_HEAD_BYTES))
        return state.hexdigest()
    except OSError:
        return None


def _digest_whole(path: Path) -> str | None:
    try:
        return digest([digest_file(file) for file, _ in list_files(path)])
    except OSError:
        return None
