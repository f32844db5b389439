"""Preparation of one shard: its clips, then its files and its receipt. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from autohier.data.datasets.base import ClipSource, DatasetReader
from autohier.data.prepare.clip import BadFileError, prepare_clip
from autohier.data.prepare.fingerprints import digest_inputs, digest_states, is_current
from autohier.data.store.manifest import (
    Receipt,
    Rejection,
    ShardEntry,
    ShardInputs,
    StoreOptions,
    load_record,
)
from autohier.data.store.paths import MANIFEST, receipt_path, shard_path
from autohier.data.store.prepared_clip import PreparedClip
from autohier.data.store.schema import encode_shard
from autohier.digest import digest_file
from autohier.files import write_atomically


def prepare_shard(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    index: int,
    clips: Sequence[ClipSource],
    *,
    on_progress: Callable[[int, int, int], None],
) -> Receipt:
    """Prepare the clips of one shard and publish them; an intact, current shard is reused.

    Args:
        reader: reader of the clips' dataset.
        options: how to prepare the clips.
        folder: folder of the store.
        index: 0-based number of the shard.
        clips: clips of the shard, in order.
        on_progress: called after each clip with the clips done, rejected and reused since the last call.
            An exception from it ends the shard without publishing it.

    Raises:
        OSError: if the store cannot be written; the shard is then not published.
    """
    receipt = _load_current(options, folder, index, clips)
    if receipt is not None:
        on_progress(len(clips), receipt.num_rejected, len(clips))
        return receipt
    inputs = digest_inputs(options, clips)
    prepared: list[PreparedClip] = []
    rejections: list[Rejection] = []
    for clip in clips:
        num_before = len(prepared)
        try:
            outcome, rejection = prepare_clip(reader, clip, options)
            prepared.append(outcome)
        except BadFileError as error:
            rejection = error.rejection
        if rejection is not None:
            rejections.append(rejection)
        on_progress(1, 1 - (len(prepared) - num_before), 0)
    return _publish(folder, index, inputs, prepared, rejections)


def _load_current(
    options: StoreOptions, folder: Path, index: int, clips: Sequence[ClipSource]
) -> Receipt | None:
    receipt = load_record(Receipt, receipt_path(folder, index))
    if receipt is None or not is_current(receipt, options, clips) or not _is_intact(folder, receipt):
        return None
    states = digest_states(options, clips)
    if receipt.inputs.states != states:  # the files were copied or touched; their contents are equal
        receipt = receipt.model_copy(update={"inputs": receipt.inputs.model_copy(update={"states": states})})
        receipt.write(receipt_path(folder, index))
    return receipt


def _publish(
    folder: Path, index: int, inputs: ShardInputs, prepared: list[PreparedClip], rejections: list[Rejection]
) -> Receipt:
    # Remove the manifest before a shard changes, and the receipt before the shard's content changes: a
    # killed run then leaves no file that describes content which is no longer there.
    (folder / MANIFEST).unlink(missing_ok=True)
    receipt_path(folder, index).unlink(missing_ok=True)
    path = shard_path(folder, index)
    content = encode_shard(prepared)
    write_atomically(path, content)
    entry = ShardEntry(num_rows=len(prepared), num_bytes=len(content), sha256=digest_file(path))
    receipt = Receipt(index=index, inputs=inputs, entry=entry, rejections=tuple(rejections))
    receipt.write(receipt_path(folder, index))
    return receipt


def _is_intact(folder: Path, receipt: Receipt) -> bool:
    path = shard_path(folder, receipt.index)
    has_size = path.is_file() and path.stat().st_size == receipt.entry.num_bytes
    return has_size and digest_file(path) == receipt.entry.sha256
