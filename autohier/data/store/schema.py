"""The columns of a shard, and writing prepared clips into them.

Frames are JPEG in a list of binaries, joints and pixels float32 bytes with their shape beside them.
A shard is one Arrow IPC file of one uncompressed record batch: a reader maps it and copies nothing.

Shape letters: N rows, M persons, T frames, V joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from autohier.data.datasets.reader import ClipSource
from autohier.data.preprocessing.boxes import Box
from autohier.data.skeleton import Skeleton

SCHEMA: Final = pa.schema(
    [
        ("clip_id", pa.string()),
        ("label", pa.int32()),
        ("subject", pa.int32()),
        ("camera", pa.int32()),
        ("setup", pa.int32()),
        ("replication", pa.int32()),
        ("parts", pa.list_(pa.string())),  # the dataset's lists that name the clip
        ("num_frames", pa.int32()),  # of the source
        ("video_size_px", pa.list_(pa.int32(), 2)),  # width, height of the source
        ("box_px", pa.list_(pa.int32(), 4)),  # left, top, right, bottom in the source
        ("frame_indices", pa.list_(pa.int32())),  # of the kept frames in the source
        ("frames", pa.list_(pa.large_binary())),
        ("skeleton_shape", pa.list_(pa.int32(), 3)),  # M, T, V; T counts the skeleton file's frames
        ("skeleton_image_px", pa.list_(pa.int32(), 2)),  # width, height of the image of the pixels
        ("joints_MTV3_m", pa.large_binary()),  # null where no joint has a place in metres
        ("pixels_MTV2", pa.large_binary()),  # null where no joint has one in the image
        ("scores_MTV", pa.large_binary()),  # null where joints have none
    ]
)
_BYTES_OF_JOINT: Final = {"joints_MTV3_m": 12, "pixels_MTV2": 8, "scores_MTV": 4}


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """One clip as it goes into the store.

    Attributes:
        source: what and whose it is.
        num_frames: frames of the source video.
        video_size_px: width and height of the source video.
        box: what was cut out of each frame.
        frame_indices: where the kept frames stood in the source.
        jpegs: the kept frames.
        skeleton: all frames of the skeleton file; of no person where there is none.
    """

    source: ClipSource
    num_frames: int
    video_size_px: tuple[int, int]
    box: Box
    frame_indices: tuple[int, ...]
    jpegs: tuple[bytes, ...]
    skeleton: Skeleton


def encode_shard(clips: Sequence[PreparedClip]) -> bytes:
    """The content of a shard file; equal clips give equal bytes."""
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


def is_sound(batch: pa.RecordBatch) -> bool:
    """Whether a batch is one of a shard, and what it says of its own lengths is so.

    Mapped lengths are taken at their word: a damaged one would lead out of the file and end the process. It
    costs reading them, and not what is as long: for each shard about what mapping it costs.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return batch.schema.equals(SCHEMA) and not _has_gaps(batch) and _has_sound_skeletons(batch)


def _has_gaps(batch: pa.RecordBatch) -> bool:
    columns = [batch.column(name) for name in SCHEMA.names if name not in _BYTES_OF_JOINT]
    items = [column.flatten() for column in columns if pa.types.is_nested(column.type)]
    num_kept, num_frames = (pc.list_value_length(batch.column(name)) for name in ("frame_indices", "frames"))
    return any(column.null_count for column in (*columns, *items)) or not num_kept.equals(num_frames)


def _has_sound_skeletons(batch: pa.RecordBatch) -> bool:
    """Whether arrays are as large as their shapes, at least one of which is of joints."""
    shape_N3 = batch.column("skeleton_shape").flatten().to_numpy().reshape(-1, 3)
    num_joints_N = shape_N3.prod(axis=1, dtype=np.float64)
    told = {
        name: pc.fill_null(pc.binary_length(batch.column(name)), -1).to_numpy() for name in _BYTES_OF_JOINT
    }
    is_placed_N = (told["joints_MTV3_m"] >= 0) | (told["pixels_MTV2"] >= 0)
    return bool((shape_N3 >= 0).all() and is_placed_N.all()) and all(
        ((num_bytes_N < 0) | (num_bytes_N == num_joints_N * _BYTES_OF_JOINT[name])).all()
        for name, num_bytes_N in told.items()
    )


def row_skeleton(batch: pa.RecordBatch, index: int, layout: str) -> Skeleton:
    """The skeleton in a row; its arrays are read-only views of the shard."""
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
    # NumPy would let it be written to, and writing to the read-only mapping ends the process.
    values.flags.writeable = False
    return values
