"""Table of the clips in a store or a source: labels, subjects, cameras and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource


@dataclass(frozen=True, slots=True)
class ClipTable:
    """Labels of clips, in columns of equal length, in row order.

    Attributes:
        clip_id: unique and ascending names.
        label: int64 0-based class.
        subject: int64 number of the subject.
        camera: int64 number of the camera.
        setup: int64 number of the camera setup.
        num_frames: int64 frames of the source video.
        parts: the dataset's split lists that name the clip.
        content: int64 numbers, equal for clips with the same content; None if contents were not compared.
    """

    clip_id: tuple[str, ...]
    label: NDArray[np.int64]
    subject: NDArray[np.int64]
    camera: NDArray[np.int64]
    setup: NDArray[np.int64]
    num_frames: NDArray[np.int64]
    parts: tuple[tuple[str, ...], ...]
    content: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.clip_id)


def tabulate_sources(sources: Sequence[ClipSource]) -> ClipTable:
    """Return the table of clips that are not prepared, in their order; their unknown ``num_frames`` are 0."""

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
