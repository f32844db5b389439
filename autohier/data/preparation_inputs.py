"""What a shard was made of, in digests: whether it must be made again. Imports no torch.

Skeletons go by their content. Videos go by their size: digesting them would read the whole dataset, and their
times do not outlive a copy. Skeletons whose files are as large and as old as they were are not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import stat_result
from pathlib import Path

from autohier.data.clip_files import list_files
from autohier.data.datasets.reader import ClipSource
from autohier.data.store.manifest import Receipt, ShardInputs, StoreOptions, load_record
from autohier.data.store.paths import receipt_path
from autohier.digest import digest, digest_file

_PICTURES = frozenset({".jpg", ".jpeg", ".png"})
"""Endings of frames, which count with the videos where they lie in one folder with skeletons."""


def is_finished(options: StoreOptions, folder: Path, index: int, clips: Sequence[ClipSource]) -> bool:
    """Whether a shard has a receipt for these clips; whether it is undamaged is not looked at."""
    receipt = load_record(Receipt, receipt_path(folder, index))
    return receipt is not None and is_current(receipt, options, clips)


def is_current(receipt: Receipt, options: StoreOptions, clips: Sequence[ClipSource]) -> bool:
    """Whether a shard was made with these options of what these clips' files still hold."""
    if receipt.inputs.states == digest_states(options, clips):
        return True
    return receipt.inputs.contents == _digest_contents(options, clips)


def digest_inputs(options: StoreOptions, clips: Sequence[ClipSource]) -> ShardInputs:
    """What a shard is about to be made of; it costs reading the skeletons."""
    states = digest_states(options, clips)  # first, so that what changes from here on is noticed
    return ShardInputs(contents=_digest_contents(options, clips), states=states)


def digest_states(options: StoreOptions, clips: Sequence[ClipSource]) -> str:
    """See `ShardInputs`; it costs listing the clips' files."""
    return _digest(options, clips, _skeleton_state)


def _digest_contents(options: StoreOptions, clips: Sequence[ClipSource]) -> str:
    return _digest(options, clips, _skeleton_content)


def _digest(
    options: StoreOptions, clips: Sequence[ClipSource], skeleton_of: Callable[[ClipSource], object]
) -> str:
    told = [
        (
            *(clip.clip_id, clip.label, clip.subject, clip.camera, clip.setup, clip.replication, clip.parts),
            None if clip.video_path is None else [state.st_size for _, state in list_files(clip.video_path)],
            None if clip.skeleton_path is None else skeleton_of(clip),
        )
        for clip in clips
    ]
    return digest({"options": options.model_dump(mode="json"), "clips": told})


def _skeleton_content(clip: ClipSource) -> object:
    if clip.entry is not None:
        return clip.entry.digest()
    return [(file.name, _file_content(file)) for file, _ in _skeleton_files(clip)]


def _skeleton_state(clip: ClipSource) -> object:
    return [(file.name, state.st_size, state.st_mtime_ns) for file, state in _skeleton_files(clip)]


def _skeleton_files(clip: ClipSource) -> list[tuple[Path, stat_result]]:
    files = [] if clip.skeleton_path is None else list_files(clip.skeleton_path)
    return [(file, state) for file, state in files if file.suffix.lower() not in _PICTURES]


def _file_content(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError:  # reading it as a skeleton will say so
        return ""
