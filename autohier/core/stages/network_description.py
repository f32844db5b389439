"""Description of a network in a file, from which it is built again; imports no torch."""

from __future__ import annotations

from typing import Any

from autohier.config.frozen import FrozenModel
from autohier.config.trial.training import HeadPlacement


class CompactedNetwork(FrozenModel):
    """Description of the network in a file, sufficient to build it."""

    recognizer: str
    options: dict[str, Any]
    """Options of `autohier.models.build_recognizer`."""
    hierarchy: tuple[tuple[int, ...], ...]
    """Superclass of every class, for each head; the last head has the classes themselves."""
    heads: HeadPlacement = "stacks"
    """Features that the heads read."""
    clip_shape: tuple[int, ...] | dict[str, tuple[int, ...]]
    """Shape of one clip as the network reads it; by name if it reads named inputs."""
    stage: str
    """Key of the stage that trained it."""
