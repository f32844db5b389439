"""Duplicates in a dataset: equal content under several clips, or one file name in several folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from autohier.data.clip_files import list_files
from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.common.file_search import walk_source
from autohier.data.protocols import PROTOCOLS
from autohier.digest import digest, digest_file

_HEAD_BYTES = 1 << 16

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SameContent:
    """Clips with equal content.

    Attributes:
        clip_ids: at least two clips; a file that several clips share is listed under the first of them.
        paths: file or folder of frames of each clip; empty if one file holds all clips.
        across: protocols under which some of the clips train and others test.
    """

    clip_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    across: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Result and cost of the search for equal content.

    Attributes:
        found: one entry per content that several clips share.
        num_read: files, or folders of frames, that were opened because another one has the same size.
        num_bytes: bytes read from them.
        num_skeletons: clips that were compared by their skeletons, read and rounded.
    """

    found: tuple[SameContent, ...]
    num_read: int
    num_bytes: int
    num_skeletons: int = 0


def find_duplicates(clips: Sequence[ClipSource], *, on_progress: OnProgress | None = None) -> Duplicates:
    """Find files with equal content under different clips.

    Files are compared by size, then by their first 64 KiB, then by all bytes. At worst every file whose size
    occurs twice is opened; only files with equal beginnings are read to the end. Empty and unreadable files
    are skipped: reading them as clips reports them.

    Args:
        clips: clips of one dataset; a file that several of them share is no duplicate.
        on_progress: called with the files compared so far and the number of files to compare.
    """
    owners: dict[Path, str] = {}
    for clip in clips:
        for path in (clip.video_path, clip.skeleton_path):
            if path is not None:
                owners.setdefault(path, clip.clip_id)
    sizes = {path: sum(state.st_size for _, state in list_files(path)) for path in sorted(owners)}
    equal_sizes = [group for group in _group(sizes, sizes.get) if sizes[group[0]]]
    num_to_compare = sum(map(len, equal_sizes))
    heads: dict[Path, str | None] = {}
    for group in equal_sizes:
        for path in group:
            heads[path] = _digest_heads(path)
            if on_progress is not None:
                on_progress(len(heads), num_to_compare)
    equal_heads = [same for group in equal_sizes for same in _group(group, heads.get)]
    equal_files = [same for group in equal_heads for same in _group(group, _digest_whole)]
    num_bytes = sum(_num_head_bytes(path) for path in heads)
    num_bytes += sum(sizes[path] for group in equal_heads for path in group)
    by_clip = [{owners[path]: path for path in group} for group in equal_files]
    found = [SameContent(tuple(paths), tuple(paths.values())) for paths in by_clip if len(paths) > 1]
    return Duplicates(tuple(found), len(heads), num_bytes)


def find_same_skeletons(clips: Iterable[ClipSource], contents: Mapping[str, str]) -> Duplicates:
    """Find clips with the same skeletons, in any files.

    Args:
        clips: clips that were read.
        contents: digest of the skeleton of each clip that has no frames, by clip id.
    """
    groups: dict[str, list[ClipSource]] = defaultdict(list)
    for clip in clips:
        if clip.clip_id in contents:
            groups[contents[clip.clip_id]].append(clip)
    found = tuple(
        SameContent(
            tuple(clip.clip_id for clip in group),
            tuple(clip.skeleton_path for clip in group if clip.skeleton_path and clip.entry is None),
        )
        for group in groups.values()
        if len(group) > 1
    )
    return Duplicates(found, num_read=0, num_bytes=0, num_skeletons=len(contents))


def join_duplicates(files: Duplicates, skeletons: Duplicates) -> Duplicates:
    """Join duplicate files and skeletons; files of the same skeletons are no finding of their own."""
    groups = {clip_id: number for number, same in enumerate(skeletons.found) for clip_id in same.clip_ids}
    # Clips of no group have a number of their own, so that they are never in one with others.
    rest = [same for same in files.found if len({groups.get(each, each) for each in same.clip_ids}) > 1]
    return replace(files, found=(*rest, *skeletons.found), num_skeletons=skeletons.num_skeletons)


def find_same_names(name: str, source: Path, clips: Iterable[ClipSource]) -> tuple[tuple[Path, ...], ...]:
    """Find files of one name in several folders, of which only one is read.

    Only published datasets are searched: their authors named every file after its clip.

    Args:
        name: name of the dataset.
        source: folder of its files.
        clips: clips found in the folder.

    Returns:
        For each such name, the file that is read and then the others.
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
    """Group paths by key and return the groups of at least two; paths with key None are left out."""
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
