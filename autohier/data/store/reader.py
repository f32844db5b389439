"""Reading a store: its shards are mapped into memory, and a frame is decoded when it is asked for.

Shape letters: T frames, H W pixels, C channels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from autohier.data.datasets.reader import ClipSource
from autohier.data.skeleton import Skeleton
from autohier.data.store.manifest import Manifest, check_version, load_record
from autohier.data.store.paths import MANIFEST, prepare_command, prepared_beside, shard_path
from autohier.data.store.schema import SCHEMA, is_sound, row_skeleton
from autohier.digest import digest
from autohier.errors import MissingDataError


@dataclass(frozen=True, slots=True)
class ClipTable:
    """What is known of each clip of a store, in columns of equal length, in the order of its rows.

    Attributes:
        clip_id: unique and ascending.
        label: int64 0-based class.
        subject: int64 number of who acts.
        camera: int64 number of the camera.
        setup: int64 number of the cameras' arrangement.
        num_frames: int64 frames of the source video.
        parts: the dataset's lists that name it.
    """

    clip_id: tuple[str, ...]
    label: NDArray[np.int64]
    subject: NDArray[np.int64]
    camera: NDArray[np.int64]
    setup: NDArray[np.int64]
    num_frames: NDArray[np.int64]
    parts: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.clip_id)


class ClipStore:
    """A finished store, open for reading.

    It holds no file descriptor, may be read from many threads, and pickles as its folder's name.
    """

    def __init__(self, folder: Path, manifest: Manifest, shards: Sequence[pa.RecordBatch]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.fingerprint = digest(manifest.model_dump(mode="json"))
        self.clips = tabulate(shards)
        self._shards = shards
        self._ends = np.cumsum([shard.num_rows for shard in shards])

    @classmethod
    def open(cls, folder: Path, *, choosing: str = "--set clips.modality=") -> ClipStore:
        """Map a store's shards.

        Shards are checked for their sizes and what they say of their own lengths. Digests are not computed,
        for they would read the whole store: preparing again computes them and replaces what is damaged.

        Args:
            folder: of the store.
            choosing: how a user chooses another modality, up to its name.

        Raises:
            MissingDataError: where there is no finished store, or one of another version, or a damaged one.
        """
        remedy = f"run '{prepare_command(folder)}'"
        path = folder / MANIFEST
        if not path.is_file():
            others = " or ".join(f"{choosing}{other}" for other in prepared_beside(folder))
            raise MissingDataError(
                f"{folder.name} is not prepared: no store at {folder}",
                remedy=f"read what is prepared with {others}, or {remedy}" if others else remedy,
            )
        check_version(path, remedy=f"delete it and {remedy}")
        manifest = load_record(Manifest, path)
        if manifest is None:
            raise MissingDataError(f"{path} must be what preparation wrote", remedy=remedy)
        shards = [
            map_shard(shard_path(folder, index), entry.num_bytes, remedy)
            for index, entry in enumerate(manifest.shards)
        ]
        store = cls(folder, manifest, shards)
        if not np.isin(store.clips.label, np.arange(len(manifest.class_names))).all():
            raise MissingDataError(f"{folder} must hold clips of its classes", remedy=remedy)
        return store

    def __len__(self) -> int:
        return len(self.clips)

    def __reduce__(self) -> tuple[Callable[[Path], ClipStore], tuple[Path]]:
        return ClipStore.open, (self.folder,)

    def replications(self) -> NDArray[np.int64]:
        """Which repetition by the same subject every clip is, in the order of the rows."""
        columns = [shard.column("replication").to_numpy() for shard in self._shards]
        return np.concatenate([*columns, np.empty(0)]).astype(np.int64)

    def skeleton_lengths(self) -> NDArray[np.int64]:
        """How many frames every clip's skeleton has, in the order of the rows."""
        shapes = [
            shard.column("skeleton_shape").flatten().to_numpy().reshape(-1, 3) for shard in self._shards
        ]
        return np.concatenate([*(shape_N3[:, 1] for shape_N3 in shapes), np.empty(0)]).astype(np.int64)

    def num_kept(self, row: int) -> int:
        """How many frames of a clip the store holds."""
        return len(self._cell(row, "frames"))

    def frame_indices(self, row: int) -> NDArray[np.int64]:
        """Where a clip's kept frames stood in the source video."""
        return np.array(self._cell(row, "frame_indices").as_py(), dtype=np.int64)

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of one clip.

        Args:
            row: which clip.
            positions: which of its kept frames, in 0..num_kept(row)-1; may repeat.
            size_px: side of the result; None for the stored one. A smaller one decodes faster.

        Returns:
            uint8 [T, H, W, C] with one frame per position.

        Raises:
            IndexError: where a row or position does not exist.
            MissingDataError: where a stored frame does not decode.
        """
        jpegs = self._cell(row, "frames").values
        side_px = self.manifest.size_px if size_px is None else size_px
        frames_THWC = np.empty((len(positions), side_px, side_px, self.manifest.channels), dtype=np.uint8)
        for index, position in enumerate(positions):
            if not 0 <= position < len(jpegs):
                raise IndexError(f"position {position} of the {len(jpegs)} kept frames of clip {row}")
            try:
                jpeg = memoryview(jpegs[position].as_buffer()).cast("B")
                self._decode(jpeg, frames_THWC[index])
            except ValueError as error:
                raise MissingDataError(
                    f"frame {position} of {self.clips.clip_id[row]} in {self.folder} does not decode",
                    remedy=f"run '{prepare_command(self.folder)}' again: it replaces what is damaged",
                ) from error
        return frames_THWC

    def skeleton(self, row: int) -> Skeleton:
        """A clip's skeleton, all frames of its file; read-only views of the mapped shard.

        Its arrays hold no person where the clip was kept without a skeleton.
        """
        shard, index = self._locate(row)
        return row_skeleton(shard, index, self.manifest.joint_layout)

    def box_px(self, row: int) -> tuple[int, int, int, int]:
        """What was cut out of each frame: left, top, right, bottom in pixels of the source video."""
        left, top, right, bottom = self._cell(row, "box_px").as_py()
        return left, top, right, bottom

    def video_size_px(self, row: int) -> tuple[int, int]:
        """Width and height of the source video."""
        width, height = self._cell(row, "video_size_px").as_py()
        return width, height

    def _decode(self, jpeg: memoryview, frame_HWC: NDArray[np.uint8]) -> None:
        """Decode a frame in its place."""
        stored_px, side_px = self.manifest.size_px, len(frame_HWC)
        height_px, width_px, *_ = simplejpeg.decode_jpeg_header(jpeg)
        if (height_px, width_px) != (stored_px, stored_px):
            raise ValueError(f"a frame of {width_px} x {height_px} pixels")
        colours = "GRAY" if self.manifest.channels == 1 else "RGB"
        if side_px == stored_px:
            simplejpeg.decode_jpeg(jpeg, colours, buffer=frame_HWC)
            return
        # The decoder itself can halve the size some times over, which saves most of its work.
        decoded_HWC = simplejpeg.decode_jpeg(jpeg, colours, min_height=side_px, min_width=side_px)
        if len(decoded_HWC) != side_px:
            image = Image.fromarray(decoded_HWC.squeeze())
            resized = image.resize((side_px, side_px), Image.Resampling.BILINEAR)
            decoded_HWC = np.asarray(resized).reshape(frame_HWC.shape)
        frame_HWC[...] = decoded_HWC

    def _cell(self, row: int, column: str) -> Any:  # noqa: ANN401  # a pyarrow scalar; pyarrow has no types
        shard, index = self._locate(row)
        return shard.column(column)[index]

    def _locate(self, row: int) -> tuple[pa.RecordBatch, int]:
        if not 0 <= row < len(self):
            raise IndexError(f"clip {row} of {len(self)}")
        shard = int(np.searchsorted(self._ends, row, side="right"))
        start = int(self._ends[shard - 1]) if shard else 0
        return self._shards[shard], row - start


def tabulate(shards: Sequence[pa.RecordBatch]) -> ClipTable:
    """The table of the clips in some shards, in their order."""
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


def tabulate_sources(sources: Sequence[ClipSource]) -> ClipTable:
    """The table of clips that are not prepared, in their order; their ``num_frames`` are 0, as unknown."""

    def numbers(column: str) -> NDArray[np.int64]:
        return np.array([getattr(source, column) for source in sources], dtype=np.int64)

    return ClipTable(
        clip_id=tuple(source.clip_id for source in sources),
        label=numbers("label"),
        subject=numbers("subject"),
        camera=numbers("camera"),
        setup=numbers("setup"),
        num_frames=np.zeros(len(sources), dtype=np.int64),
        parts=tuple(source.parts for source in sources),
    )


def map_shard(path: Path, num_bytes: int, remedy: str) -> pa.RecordBatch:
    """The one batch of a shard, mapped.

    Raises:
        MissingDataError: with this remedy, where the file is missing, of another size or no shard.
    """
    damage = MissingDataError(f"the shard {path} is missing or damaged", remedy=remedy)
    try:
        if path.stat().st_size != num_bytes:
            raise damage
        # The mapping outlives the file object, so that many shards do not use up the descriptors.
        # Arrow takes a name that is no text as bytes alone.
        with pa.memory_map(os.fsencode(path)) as file, pa.ipc.open_file(file) as reader:
            batch = reader.get_batch(0)
    except (OSError, pa.ArrowInvalid) as error:
        raise damage from error
    if not is_sound(batch):
        raise damage
    return batch
