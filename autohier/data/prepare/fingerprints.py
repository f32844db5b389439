"""Digests of the inputs of a shard: they decide if it must be prepared again. Imports no torch.

Skeletons are compared by content. Videos are compared by size alone: digesting them would read the whole
dataset, and their modification times do not survive a copy. A skeleton file whose size and modification time
are unchanged is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import stat_result
from pathlib import Path

from autohier.data.clip_files import list_files
from autohier.data.datasets.base import ClipSource
from autohier.data.store.manifest import Receipt, ShardInputs, StoreOptions, load_record
from autohier.data.store.paths import receipt_path
from autohier.digest import digest, digest_file

_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
"""Files of a folder of frames that also holds skeletons; they belong to the video."""


def is_finished(options: StoreOptions, folder: Path, index: int, clips: Sequence[ClipSource]) -> bool:
    """Return True if a shard has a receipt for these clips; its content is not checked for damage."""
    receipt = load_record(Receipt, receipt_path(folder, index))
    return receipt is not None and is_current(receipt, options, clips)


def is_current(receipt: Receipt, options: StoreOptions, clips: Sequence[ClipSource]) -> bool:
    """Return True if a shard was made with these options from the current files of these clips."""
    if receipt.inputs.states == digest_states(options, clips):
        return True
    return receipt.inputs.contents == _digest_contents(options, clips)


def digest_inputs(options: StoreOptions, clips: Sequence[ClipSource]) -> ShardInputs:
    """Digest the inputs of a shard that is about to be prepared; reads the skeletons."""
    states = digest_states(options, clips)  # first, so that a file that changes from here on is noticed
    return ShardInputs(contents=_digest_contents(options, clips), states=states)


def digest_states(options: StoreOptions, clips: Sequence[ClipSource]) -> str:
    """Return `ShardInputs.states`; lists the clips' files and reads none."""
    return _digest(options, clips, _skeleton_state)


def _digest_contents(options: StoreOptions, clips: Sequence[ClipSource]) -> str:
    return _digest(options, clips, _skeleton_content)


def _digest(
    options: StoreOptions, clips: Sequence[ClipSource], describe_skeleton: Callable[[ClipSource], object]
) -> str:
    rows = [
        (
            *(clip.clip_id, clip.label, clip.subject, clip.camera, clip.setup, clip.replication, clip.parts),
            None if clip.video_path is None else [state.st_size for _, state in list_files(clip.video_path)],
            None if clip.skeleton_path is None else describe_skeleton(clip),
        )
        for clip in clips
    ]
    return digest({"options": options.model_dump(mode="json"), "clips": rows})


def _skeleton_content(clip: ClipSource) -> object:
    if clip.entry is not None:
        return clip.entry.digest()
    return [(file.name, _file_content(file)) for file, _ in _skeleton_files(clip)]


def _skeleton_state(clip: ClipSource) -> object:
    return [(file.name, state.st_size, state.st_mtime_ns) for file, state in _skeleton_files(clip)]


def _skeleton_files(clip: ClipSource) -> list[tuple[Path, stat_result]]:
    files = [] if clip.skeleton_path is None else list_files(clip.skeleton_path)
    return [(file, state) for file, state in files if file.suffix.lower() not in _IMAGE_SUFFIXES]


def _file_content(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError:  # reading the file as a skeleton will report the error
        return ""
