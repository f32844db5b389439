"""Reading a whole source as in checking and preparation, and checks of the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autohier.data.datasets.base import DatasetReader
from autohier.data.datasets.pyskl import file as pyskl_file
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.clip import BadFileError, prepare_clip
from autohier.data.skeleton import LAYOUTS, Skeleton
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.prepared_clip import PreparedClip
from autohier.data.store.schema import encode_shard
from autohier.errors import AutohierError
from support.fuzz.law import check_law
from support.fuzz.sources import Case

MANY_FRAMES = 100
"""More than the frames of any clip here, so that all are read."""


class Bench:
    """Good source of one clip, or of two listed clips, in which one file is damaged repeatedly."""

    def __init__(self, case: Case, folder: Path) -> None:
        folder.mkdir()
        num_clips = 2 if case.is_list else 1
        self.case, self.folder = case, folder
        self.path, *_ = [case.write(folder, clip_id) for clip_id in case.clip_ids[:num_clips]]
        self.good = case.content(self.path)
        self.source = case.source(folder)

    def try_content(self, content: bytes) -> list[AutohierError]:
        """Read the source with other content in the file."""
        self.case.place(self.path, content)
        return self.try_source(max(len(content), self.path.stat().st_size))

    def try_source(self, num_bytes: int = 0) -> list[AutohierError]:
        """Read the source, of which ``num_bytes`` bytes are damaged."""
        return check_law(
            self.case.reader,
            lambda: read_source(self.case.dataset, self.case.modality, self.source),
            num_bytes=(self.case.free_mib << 20) + self.case.per_byte * num_bytes,
            source=self.folder,
        )


def read_source(dataset: str, modality: str, source: Path) -> list[AutohierError]:
    """Open a source, find its clips and prepare each; return the errors that refuse clips.

    Raises:
        AutohierError: if the whole source is refused.
    """
    pyskl_file._read.cache_clear()  # a file may change twice at one modification time
    reader = open_dataset(dataset, modality=modality, source=source)
    clips = reader.find_clips(source)
    assert clips
    assert [clip.clip_id for clip in clips] == sorted({clip.clip_id for clip in clips})
    assert all(0 <= clip.label < len(reader.class_names) for clip in clips)
    options = StoreOptions.checked(
        dataset=reader.name,
        modality=modality,
        size_px=16,
        max_frames=MANY_FRAMES,
        jpeg_quality=90,
        cropped=True,
        without_skeleton="whole-frame" if dataset == "gym99" else "reject",
    )
    errors: list[AutohierError] = []
    for clip in clips:
        try:
            prepared, _ = prepare_clip(reader, clip, options)
        except BadFileError as error:
            errors.append(error)
        else:
            _check(prepared, reader)
            encode_shard([prepared])
    return errors


def _check(prepared: PreparedClip, reader: DatasetReader) -> None:
    """Check that a clip is complete and has the layout of its reader."""
    if reader.channels:
        assert 1 <= len(prepared.jpegs) <= prepared.num_frames
        left, top, right, bottom = prepared.box
        width, height = prepared.video_size_px
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    if prepared.skeleton.num_persons or not reader.channels:
        _check_skeleton(prepared.skeleton, reader)


def _check_skeleton(skeleton: Skeleton, reader: DatasetReader) -> None:
    layout = reader.joint_layout
    assert LAYOUTS[skeleton.layout] is layout
    shape_MTV = (skeleton.num_persons, skeleton.num_frames, layout.num_joints)
    assert min(shape_MTV) >= 1
    for values, channels in ((skeleton.joints_MTV3_m, 3), (skeleton.pixels_MTV2, 2)):
        assert values.dtype == np.float32
        assert values.shape == (*shape_MTV, channels)
        is_present = np.isfinite(values)
        assert (is_present | np.isnan(values)).all()
        assert (is_present.all(axis=-1) == is_present.any(axis=-1)).all()
    assert np.isfinite(skeleton.joints_MTV3_m).any() or np.isfinite(skeleton.pixels_MTV2).any()
    if skeleton.scores_MTV is not None:
        assert skeleton.scores_MTV.shape == shape_MTV
        assert np.isfinite(skeleton.scores_MTV).all()
