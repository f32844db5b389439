"""Memory-mapped shards, checked before use: Arrow trusts the lengths that a file states."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from autohier.data.store.schema import JOINT_BYTES, SCHEMA
from autohier.data.store.table import ClipTable
from autohier.errors import MissingDataError


def map_shard(path: Path, num_bytes: int, hint: str) -> pa.RecordBatch:
    """Map a shard into memory and return its one batch.

    Raises:
        MissingDataError: with the given hint, if the file is missing, has another size or is damaged.
    """
    damage = MissingDataError(f"the shard {path} is missing or damaged", hint=hint)
    try:
        if path.stat().st_size != num_bytes:
            raise damage
        # The mapping outlives the file object, so that many shards do not use up the file descriptors.
        # Arrow takes a name that is not valid UTF-8 only as bytes.
        with pa.memory_map(os.fsencode(path)) as file, pa.ipc.open_file(file) as reader:
            batch = reader.get_batch(0)
    except (OSError, pa.ArrowInvalid) as error:
        raise damage from error
    if not _is_sound(batch):
        raise damage
    return batch


def _is_sound(batch: pa.RecordBatch) -> bool:
    """Return True if a batch has the schema of a shard and its stated lengths fit its data.

    A wrong length would make a read leave the mapping, which ends the process. The check reads lengths and
    offsets but no frames or joints; per shard it costs about as much as mapping it.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return batch.schema.equals(SCHEMA) and not _has_gaps(batch) and _has_sound_skeletons(batch)


def _has_gaps(batch: pa.RecordBatch) -> bool:
    columns = [batch.column(name) for name in SCHEMA.names if name not in JOINT_BYTES]
    items = [column.flatten() for column in columns if pa.types.is_nested(column.type)]
    num_kept, num_frames = (pc.list_value_length(batch.column(name)) for name in ("frame_indices", "frames"))
    return any(column.null_count for column in (*columns, *items)) or not num_kept.equals(num_frames)


def _has_sound_skeletons(batch: pa.RecordBatch) -> bool:
    """Return True if each skeleton has joints or pixels and all its arrays have the size of its shape."""
    shape_N3 = batch.column("skeleton_shape").flatten().to_numpy().reshape(-1, 3)
    num_joints_N = shape_N3.prod(axis=1, dtype=np.float64)
    sizes = {name: pc.fill_null(pc.binary_length(batch.column(name)), -1).to_numpy() for name in JOINT_BYTES}
    has_positions_N = (sizes["joints_MTV3_m"] >= 0) | (sizes["pixels_MTV2"] >= 0)
    return bool((shape_N3 >= 0).all() and has_positions_N.all()) and all(
        ((num_bytes_N < 0) | (num_bytes_N == num_joints_N * JOINT_BYTES[name])).all()
        for name, num_bytes_N in sizes.items()
    )


def tabulate(shards: Sequence[pa.RecordBatch]) -> ClipTable:
    """Return the table of the clips in shards, in their order."""
    table = pa.Table.from_batches(shards, schema=SCHEMA)

    def numbers(column: str) -> NDArray[np.int64]:
        values: NDArray[np.int64] = table[column].to_numpy().astype(np.int64)
        values.flags.writeable = False
        return values

    return ClipTable(
        clip_id=tuple(table["clip_id"].to_pylist()),
        label=numbers("label"),
        subject=numbers("subject"),
        camera=numbers("camera"),
        setup=numbers("setup"),
        num_frames=numbers("num_frames"),
        parts=tuple(map(tuple, table["parts"].to_pylist())),
    )
