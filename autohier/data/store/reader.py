"""Reader of a store: its shards are mapped into memory, and frames are decoded on demand.

Shape letters: T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from autohier.data.skeleton import Skeleton
from autohier.data.store.frame_decoding import decode_frame
from autohier.data.store.manifest import Manifest, check_version, load_record
from autohier.data.store.paths import MANIFEST, prepare_command, shard_path, unprepared_hint
from autohier.data.store.same_content import number_content
from autohier.data.store.schema import row_skeleton
from autohier.data.store.shards import map_shard, tabulate
from autohier.data.store.verification import ShardDigests
from autohier.errors import MissingDataError


class ClipStore:
    """Finished store, open for reading.

    It holds no file descriptor, may be read from many threads, and pickles as the path of its folder.
    """

    def __init__(self, folder: Path, manifest: Manifest, shards: Sequence[pa.RecordBatch]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.fingerprint = manifest.fingerprint
        clips = tabulate(shards)
        self.clips = replace(clips, content=number_content(folder, clips.clip_id))
        self._shards = shards
        self._ends = np.cumsum([shard.num_rows for shard in shards])
        self._digests = ShardDigests(folder, manifest.shards)

    @classmethod
    def open(cls, folder: Path, *, modality_option: str = "--set clips.modality=") -> ClipStore:
        """Open a store and map its shards.

        File sizes and the lengths stated in the shards are checked. The digest of a shard is checked before
        its first frame or skeleton is read, see `ShardDigests`. Preparing again replaces damaged shards.

        Args:
            folder: folder of the store.
            modality_option: text before the name of a modality in the hint that names other stores.

        Raises:
            MissingDataError: if the store is missing, unfinished, damaged or of another version.
        """
        hint = f"run '{prepare_command(folder)}'"
        path = folder / MANIFEST
        if not path.is_file():
            raise MissingDataError(
                f"{folder.name} is not prepared: no store at {folder}",
                hint=unprepared_hint(folder, modality_option=modality_option),
            )
        check_version(path, hint=f"delete it and {hint}")
        manifest = load_record(Manifest, path)
        if manifest is None:
            raise MissingDataError(f"{path} is damaged", hint=hint)
        shards = [
            map_shard(shard_path(folder, index), entry.num_bytes, hint)
            for index, entry in enumerate(manifest.shards)
        ]
        store = cls(folder, manifest, shards)
        if not np.isin(store.clips.label, np.arange(len(manifest.class_names))).all():
            raise MissingDataError(f"{folder} must contain clips of the classes in its manifest", hint=hint)
        return store

    def check_digests(self) -> None:
        """Check that no byte of the shards has changed; reads the whole store.

        Raises:
            MissingDataError: names the first damaged shard.
        """
        self._digests.check_all()

    def __len__(self) -> int:
        return len(self.clips)

    def __reduce__(self) -> tuple[Callable[[Path], ClipStore], tuple[Path]]:
        return ClipStore.open, (self.folder,)

    def replications(self) -> NDArray[np.int64]:
        """Return the repetition number of every clip (the dataset's own numbering), in row order."""
        columns = [shard.column("replication").to_numpy() for shard in self._shards]
        return np.concatenate([*columns, np.empty(0)]).astype(np.int64)

    def skeleton_lengths(self) -> NDArray[np.int64]:
        """Return the number of frames of every clip's skeleton, in row order."""
        shapes = [
            shard.column("skeleton_shape").flatten().to_numpy().reshape(-1, 3) for shard in self._shards
        ]
        return np.concatenate([*(shape_N3[:, 1] for shape_N3 in shapes), np.empty(0)]).astype(np.int64)

    def num_kept(self, row: int) -> int:
        """Return the number of stored frames of a clip."""
        return len(self._cell(row, "frames"))

    def frame_indices(self, row: int) -> NDArray[np.int64]:
        """Return the numbers of a clip's stored frames in the source video, and so in its pose file.

        They never descend, and repeat if one frame is shown for long.
        """
        return np.array(self._cell(row, "frame_indices").as_py(), dtype=np.int64)

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of one clip.

        Args:
            row: row of the clip.
            positions: numbers of stored frames, in 0..num_kept(row)-1; may repeat.
            size_px: side of the result; None for the stored side. A smaller side decodes faster.

        Returns:
            uint8 [T, H, W, C] with one frame per position.

        Raises:
            IndexError: if a row or position does not exist.
            MissingDataError: if the clip's shard is damaged, or a stored frame does not decode.
        """
        shard, index = self._locate_intact(row)
        jpegs = shard.column("frames")[index].values
        side_px = self.manifest.size_px if size_px is None else size_px
        frames_THWC = np.empty((len(positions), side_px, side_px, self.manifest.channels), dtype=np.uint8)
        for index, position in enumerate(positions):
            if not 0 <= position < len(jpegs):
                raise IndexError(f"position {position} of the {len(jpegs)} kept frames of clip {row}")
            try:
                jpeg = memoryview(jpegs[position].as_buffer()).cast("B")
                decode_frame(jpeg, frames_THWC[index], stored_px=self.manifest.size_px)
            except ValueError as error:
                raise MissingDataError(
                    f"frame {position} of {self.clips.clip_id[row]} in {self.folder} does not decode",
                    hint=f"run '{prepare_command(self.folder)}' again: it replaces damaged shards",
                ) from error
        return frames_THWC

    def skeleton(self, row: int) -> Skeleton:
        """Return a clip's skeleton in all frames of its file, as read-only views of the mapped shard.

        The skeleton has no person if the clip was kept without a skeleton.

        Raises:
            IndexError: if the row does not exist.
            MissingDataError: if the clip's shard is damaged.
        """
        shard, index = self._locate_intact(row)
        return row_skeleton(shard, index, self.manifest.joint_layout)

    def box_px(self, row: int) -> tuple[int, int, int, int]:
        """Return the crop of a clip: left, top, right, bottom in pixels of the source video."""
        left, top, right, bottom = self._cell(row, "box_px").as_py()
        return left, top, right, bottom

    def video_size_px(self, row: int) -> tuple[int, int]:
        """Return width and height of the source video."""
        width, height = self._cell(row, "video_size_px").as_py()
        return width, height

    def _locate_intact(self, row: int) -> tuple[pa.RecordBatch, int]:
        if 0 <= row < len(self):
            self._digests.check_once(int(np.searchsorted(self._ends, row, side="right")))
        return self._locate(row)

    def _cell(self, row: int, column: str) -> Any:  # noqa: ANN401  # a pyarrow scalar; pyarrow has no types
        shard, index = self._locate(row)
        return shard.column(column)[index]

    def _locate(self, row: int) -> tuple[pa.RecordBatch, int]:
        if not 0 <= row < len(self):
            raise IndexError(f"clip {row} of {len(self)}")
        shard = int(np.searchsorted(self._ends, row, side="right"))
        start = int(self._ends[shard - 1]) if shard else 0
        return self._shards[shard], row - start
