"""Notes on clips that a network reads: without joints, or prepared unlike those that trained it.

Legend: N clips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.config.trial.clips import FrameSettings
from autohier.core.stages.builders import has_people_at
from autohier.data.store.reader import ClipStore
from autohier.deploy.trained_models import ModelNetwork
from autohier.text import plural


@dataclass(slots=True)
class ClipNotes:
    """Collector of notes on the clips that the networks of a model read, each note once."""

    _empty: dict[tuple[str, Path], tuple[int, int]] = field(default_factory=dict)
    """By network and store: clips without joints for it, and clips, over all folds of a member."""
    _preparations: dict[str, None] = field(default_factory=dict)

    def add(self, network: ModelNetwork, store: ClipStore, rows_N: NDArray[np.int64]) -> None:
        """Take note of the clips that a network reads."""
        reads, own = network.network.clips, network.contents
        num_empty = sum(not has_people_at(row, reads, store, own) for row in rows_N.tolist())
        key = network.name, store.folder
        before_empty, before = self._empty.get(key, (0, 0))
        self._empty[key] = before_empty + num_empty, before + len(rows_N)
        self._preparations |= dict.fromkeys(_preparation_notes(network, store))

    def sentences(self) -> tuple[str, ...]:
        """Return the notes."""
        empty = (
            f"{num_empty} of {plural(num_clips, 'clip')} of {folder} have no joints for {network}, which "
            "guesses their classes"
            for (network, folder), (num_empty, num_clips) in self._empty.items()
            if num_empty
        )
        return (*empty, *self._preparations)


def _preparation_notes(network: ModelNetwork, store: ClipStore) -> Iterator[str]:
    """Yield sentences on frames that were prepared unlike those that trained a network."""
    if not isinstance(network.network.clips, FrameSettings):
        return
    options, manifest = network.contents.options, store.manifest
    if options.cropped != manifest.cropped:
        crops = ("whole", "cropped to the people")
        yield (
            f"the frames of {store.folder} are {crops[manifest.cropped]}; {network.name} was trained on "
            f"frames that are {crops[options.cropped]}"
        )
    if options.size_px != manifest.size_px:
        yield (
            f"the frames of {store.folder} have a side of {manifest.size_px} pixels; those that trained "
            f"{network.name} {options.size_px}"
        )
