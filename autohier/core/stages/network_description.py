"""Description of a network in a file, from which it is built again; imports no torch."""

from __future__ import annotations

from typing import Any

from autohier.config.frozen import FrozenModel
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.training import HeadPlacement


class TrainingClips(FrozenModel):
    """The clips that a network was trained on."""

    data: str
    """Fingerprint of the clip store."""
    protocol: ProtocolSettings
    """Resolved protocol: which of them trained."""
    all_training_clips: bool = False
    """True if the validation clips trained too."""
    seed: int
    """Seed of the trial, which samples clips where the protocol does."""


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
    trained_on: TrainingClips | None = None
    """Clips that it was trained on; None in files of older versions."""
