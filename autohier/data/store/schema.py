"""Columns of a shard, and the conversion of prepared clips to and from them.

Frames are a list of JPEG binaries. Joints and pixels are float32 bytes, with their shape in another column.
A shard is one Arrow IPC file of one uncompressed record batch, so that a reader maps it without copying.

Shape letters: N rows, M persons, T frames, V joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from autohier.data.skeleton import Skeleton
from autohier.data.store.prepared_clip import PreparedClip

SCHEMA: Final = pa.schema(
    [
        ("clip_id", pa.string()),
        ("label", pa.int32()),
        ("subject", pa.int32()),
        ("camera", pa.int32()),
        ("setup", pa.int32()),
        ("replication", pa.int32()),
        ("parts", pa.list_(pa.string())),  # the dataset's split lists that name the clip
        ("num_frames", pa.int32()),  # of the source video
        ("video_size_px", pa.list_(pa.int32(), 2)),  # width, height of the source video
        ("box_px", pa.list_(pa.int32(), 4)),  # left, top, right, bottom in the source video
        (
            "frame_indices",
            pa.list_(pa.int32()),
        ),  # numbers of the stored frames in the source video; may repeat
        ("frames", pa.list_(pa.large_binary())),
        ("skeleton_shape", pa.list_(pa.int32(), 3)),  # M, T, V; T counts the skeleton file's frames
        ("skeleton_image_px", pa.list_(pa.int32(), 2)),  # width, height of the image of the pixels
        ("joints_MTV3_m", pa.large_binary()),  # null if no joint has coordinates in meters
        ("pixels_MTV2", pa.large_binary()),  # null if no joint has image coordinates
        ("scores_MTV", pa.large_binary()),  # null if the joints have no scores
    ]
)
JOINT_BYTES: Final = {"joints_MTV3_m": 12, "pixels_MTV2": 8, "scores_MTV": 4}
"""Bytes per joint of the columns that hold skeletons."""


def encode_shard(clips: Sequence[PreparedClip]) -> bytes:
    """Return the content of a shard file; equal clips give equal bytes."""
    batch = pa.RecordBatch.from_pylist([_row(clip) for clip in clips], schema=SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _row(clip: PreparedClip) -> dict[str, object]:
    source, skeleton = clip.source, clip.skeleton
    return {
        "clip_id": source.clip_id,
        "label": source.label,
        "subject": source.subject,
        "camera": source.camera,
        "setup": source.setup,
        "replication": source.replication,
        "parts": source.parts,
        "num_frames": clip.num_frames,
        "video_size_px": clip.video_size_px,
        "box_px": clip.box,
        "frame_indices": clip.frame_indices,
        "frames": clip.jpegs,
        "skeleton_shape": skeleton.joints_MTV3_m.shape[:3],
        "skeleton_image_px": (skeleton.image_width_px, skeleton.image_height_px),
        "joints_MTV3_m": _floats(skeleton.joints_MTV3_m),
        "pixels_MTV2": _floats(skeleton.pixels_MTV2),
        "scores_MTV": None if skeleton.scores_MTV is None else _floats(skeleton.scores_MTV),
    }


def _floats(values: NDArray[np.float32]) -> bytes | None:
    return None if values.size and np.isnan(values).all() else values.astype("<f4", copy=False).tobytes()


def row_skeleton(batch: pa.RecordBatch, index: int, layout: str) -> Skeleton:
    """Return the skeleton in a row; its arrays are read-only views of the shard."""
    shape_MTV = tuple(batch.column("skeleton_shape")[index].as_py())
    width_px, height_px = batch.column("skeleton_image_px")[index].as_py()
    scores = batch.column("scores_MTV")[index]
    return Skeleton(
        joints_MTV3_m=_map_floats(batch.column("joints_MTV3_m")[index], (*shape_MTV, 3)),
        pixels_MTV2=_map_floats(batch.column("pixels_MTV2")[index], (*shape_MTV, 2)),
        image_width_px=width_px,
        image_height_px=height_px,
        layout=layout,
        scores_MTV=_map_floats(scores, shape_MTV) if scores.is_valid else None,
    )


def _map_floats(cell: pa.LargeBinaryScalar, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if cell.is_valid:
        values = np.frombuffer(cell.as_buffer(), dtype="<f4").reshape(shape)
    else:
        values = np.full(shape, np.nan, dtype=np.float32)
    # NumPy would allow writing, and a write to the read-only mapping ends the process.
    values.flags.writeable = False
    return values
