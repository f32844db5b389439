"""Predictions of a model for the clips of other stores, each network with the store that it can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autohier.config.trial.clips import FrameClips, FrameSettings
from autohier.core.late_fusion import average
from autohier.core.stages.builders import has_people
from autohier.core.training.metrics import Predictions
from autohier.data.store.reader import ClipStore
from autohier.deploy.measurements.clip_notes import ClipNotes
from autohier.deploy.measurements.other_clips import OtherClips
from autohier.deploy.trained_models import ModelNetwork, TrainedModel
from autohier.errors import InputError
from autohier.text import plural


@dataclass(frozen=True, slots=True)
class OtherResult:
    """Predictions of a model for the clips of other stores."""

    predictions: Predictions
    heaviest: Predictions
    """Those of the network of the highest weight, with its superclasses."""
    used: tuple[OtherClips, ...]
    """The stores that its networks read, each once."""
    notes: tuple[str, ...]
    """Sentences on clips that were prepared unlike those that trained a network."""


def predict_others(model: TrainedModel, others: Sequence[OtherClips]) -> OtherResult:
    """Classify clips of other stores; each network reads the first store that has what it reads.

    Args:
        model: the model.
        others: at least one; several if networks read different modalities.

    Raises:
        InputError: if a network cannot read any of the stores.
    """
    members: list[Predictions] = []
    weights: list[float] = []
    used: list[OtherClips] = []
    notes = ClipNotes()
    for each in model.open_networks():
        clips = fitting_clips(each, others)
        *superclasses, probabilities_NK = each.network.predict(clips.store, clips.rows)
        members.append(Predictions(clips.clip_ids, clips.labels_N, probabilities_NK, tuple(superclasses)))
        weights.append(each.fusion_weight)
        used += [] if clips in used else [clips]
        notes.add(each, clips.store, clips.rows)
    heaviest = members[int(np.argmax(weights))]
    return OtherResult(average(members, weights), heaviest, tuple(used), notes.sentences())


def fitting_clips(network: ModelNetwork, others: Sequence[OtherClips]) -> OtherClips:
    """Return the first clips that a network can read.

    Raises:
        InputError: if it can read none of them.
    """
    reasons = []
    for clips in others:
        reason = misfit(network, clips.store)
        if not reason:
            return clips
        reasons.append(f"{clips.store.folder}: {reason}")
    raise InputError(
        f"no prepared clips hold what {network.name} reads",
        got="; ".join(reasons),
        hint="prepare them in the modality and joint layout of the model, and name them with --data",
    )


def misfit(network: ModelNetwork, store: ClipStore) -> str:
    """Return why a network cannot read a store's clips, in words; empty if it can."""
    own, clips = network.contents, network.network.clips
    reads_frames = isinstance(clips, FrameSettings)
    if reads_frames and store.manifest.channels != own.channels:
        return f"frames of {plural(store.manifest.channels, 'channel')}, not {own.channels}"
    if isinstance(clips, FrameClips):
        return ""
    if store.manifest.layout != own.layout:
        return f"joints in the layout {store.manifest.joint_layout}, not {own.joint_layout}"
    return "" if has_people(clips, store, own) else "no joints that it reads"
