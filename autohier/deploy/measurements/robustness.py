"""Robustness of a model: its accuracy on clips that are corrupted at test time, or have other poses.

Legend: N clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autohier.config.trial.clips import ClipSettings, FrameClips, FrameSettings
from autohier.core.late_fusion import average, share_clips
from autohier.core.stages.clip_readings import Clips
from autohier.core.training.metrics import Predictions
from autohier.data.corruption.clips import CorruptedClips
from autohier.data.corruption.kinds import Corruption, FrameRate, JointDrop, JointNoise, Occlusion, Part
from autohier.data.store.reader import ClipStore
from autohier.deploy.measurements.clip_notes import ClipNotes
from autohier.deploy.measurements.measured_parts import MeasuredPart
from autohier.deploy.measurements.other_clips import match_classes
from autohier.deploy.measurements.other_predictions import misfit
from autohier.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One way in which clips differ from those of training."""

    kind: str
    """E.g. "joint drop"; "none" for clips as they are, "poses" for those of another store."""
    level: str
    """How much, in words, e.g. "1/8"."""
    strength: float | None = None
    """The same as a number; None if it has none."""
    corruption: Corruption | None = None
    poses: ClipStore | None = None
    """Store that holds the same clips with other poses."""


CLEAN: Final = Condition("none", "")
CORRUPTIONS: Final[Mapping[str, tuple[Condition, ...]]] = {
    "drop": tuple(
        Condition("joint drop", text, share, JointDrop(share))
        for text, share in (("1/8", 1 / 8), ("1/4", 1 / 4), ("1/2", 1 / 2), ("1", 1.0))
    ),
    "noise": tuple(
        Condition("joint noise", f"{share:.0%}", share, JointNoise(share))
        for share in (0.01, 0.02, 0.05, 0.1)
    ),
    "rate": tuple(Condition("frame rate", f"1/{every}", 1 / every, FrameRate(every)) for every in (2, 4, 8)),
    "occlusion": tuple(
        Condition("occlusion", text, share, Occlusion(share))
        for text, share in (("1/16", 1 / 16), ("1/8", 1 / 8), ("1/4", 1 / 4), ("1/2", 1 / 2))
    ),
}
"""Corruptions by the name of their kind, from weak to strong. PoseConv3D (CVPR 2022, table 4) drops joints
with these probabilities."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Predictions under one condition."""

    condition: Condition
    predictions: Predictions
    clean: Predictions
    """Those for the same clips as they are."""


@dataclass(frozen=True, slots=True)
class Robustness:
    """Predictions of a model under several conditions."""

    measured: tuple[Measured, ...]
    """For clips as they are, then under each condition that affects it."""
    members: tuple[Predictions, ...]
    """Predictions of each member for clips as they are."""
    notes: tuple[str, ...]
    """Sentences on clips without joints, or prepared unlike those that trained a network."""


@dataclass(slots=True)
class _Member:
    """Predictions of one member for its clips as they are, and under conditions, fold by fold."""

    weight: float
    clean: list[Predictions] = field(default_factory=list)
    changed: dict[Condition, list[Predictions]] = field(default_factory=dict)
    """By condition; one that does not affect the member is left out."""

    def predictions(self, condition: Condition) -> Predictions:
        """Return the predictions under a condition, those as they are if it does not affect the member."""
        folds = self.changed.get(condition, self.clean)
        found = Predictions(
            tuple(clip_id for fold in folds for clip_id in fold.clip_ids),
            np.concatenate([fold.labels_N for fold in folds]),
            np.concatenate([fold.probabilities_NK for fold in folds]),
        )
        if condition.poses is None or condition in self.changed:
            return found
        known = set(condition.poses.clips.clip_id)
        return found.of([clip_id for clip_id in found.clip_ids if clip_id in known])


def measure_robustness(
    parts: Iterable[MeasuredPart],
    conditions: Sequence[Condition],
    *,
    classes: Sequence[str],
    seed: int = 0,
    only_shared: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Robustness:
    """Measure a model on its clips as they are, and under each condition that affects one of its networks.

    Costs one evaluation of each network per condition that affects it.

    Args:
        parts: the model's networks with their clips.
        conditions: corruptions, and stores with other poses.
        classes: name of every class of the model.
        seed: seed of what is random.
        only_shared: True measures the clips that all members have, as validation does.
        on_progress: called with the network and the condition that are measured next.

    Raises:
        InputError: if no network can read the poses of a store, or it holds none of the clips.
    """
    members: dict[int, _Member] = {}
    misfits: dict[Condition, list[str]] = {}
    notes = ClipNotes()
    for part in parts:
        member = members.setdefault(part.member, _Member(part.network.fusion_weight))
        on_progress(f"{part.network.name}: clips as they are")
        member.clean.append(_predict(part, part.store))
        notes.add(part.network, part.store, part.rows)
        for condition in conditions:
            reason = _misfit(part, condition)
            if reason:
                misfits.setdefault(condition, []).append(reason)
                continue
            on_progress(f"{part.network.name}: {condition.kind} {condition.level}")
            read = part
            if condition.poses is not None:
                read = _with_poses(part, condition.poses, classes)
                notes.add(read.network, read.store, read.rows)
            member.changed.setdefault(condition, []).append(_predict_corrupted(read, condition, seed=seed))
    affecting = []
    for condition in conditions:
        if any(condition in member.changed for member in members.values()):
            affecting.append(condition)
        elif condition.poses is not None:
            raise InputError(
                "--data must name poses that a network of the model reads",
                got="; ".join(dict.fromkeys(misfits[condition])),
                hint="prepare them in the modality and joint layout of the model",
            )
    clean = _fuse(members.values(), CLEAN, only_shared=only_shared)
    found = [Measured(CLEAN, clean, clean)]
    for condition in affecting:
        fused = _fuse(members.values(), condition, only_shared=only_shared)
        found.append(Measured(condition, fused, clean.of(fused.clip_ids)))
    clean_members = tuple(member.predictions(CLEAN) for member in members.values())
    return Robustness(tuple(found), clean_members, notes.sentences())


def _fuse(members: Iterable[_Member], condition: Condition, *, only_shared: bool) -> Predictions:
    members = list(members)
    predictions = [member.predictions(condition) for member in members]
    if only_shared and len(predictions) > 1:
        predictions = list(share_clips(predictions))
    return average(predictions, [member.weight for member in members])


def _misfit(part: MeasuredPart, condition: Condition) -> str:
    """Return why a condition does not affect a network, in words; empty if it does."""
    reads = _parts_of(part.network.network.clips)
    if condition.corruption is not None:
        return "" if reads & condition.corruption.parts else "not read"
    if condition.poses is None or "joints" not in reads:
        return f"{part.network.name} reads no joints"
    return misfit(part.network, condition.poses)


def _parts_of(clips: ClipSettings) -> frozenset[Part]:
    """Return the parts of a clip that a clip input reads."""
    frames: frozenset[Part] = frozenset({"frames"})
    if isinstance(clips, FrameClips):
        return frames
    joints: frozenset[Part] = frozenset({"joints"})
    return frames | joints if isinstance(clips, FrameSettings) else joints


def _predict_corrupted(part: MeasuredPart, condition: Condition, *, seed: int) -> Predictions:
    if condition.corruption is None:
        return _predict(part, part.store)
    return _predict(part, CorruptedClips(part.store, condition.corruption, seed))


def _predict(part: MeasuredPart, clips: Clips) -> Predictions:
    *_, probabilities_NK = part.network.network.predict(clips, part.rows)
    return Predictions(part.clip_ids, part.labels_N, probabilities_NK)


def _with_poses(part: MeasuredPart, poses: ClipStore, classes: Sequence[str]) -> MeasuredPart:
    """Return the clips of a part that another store holds, too, with its poses.

    Raises:
        InputError: if it holds none of them, or one with another class.
    """
    row_of = {clip_id: row for row, clip_id in enumerate(poses.clips.clip_id)}
    shared = [index for index, clip_id in enumerate(part.clip_ids) if clip_id in row_of]
    if not shared:
        raise InputError(
            f"{poses.folder} must hold clips that measure the model, with their ids",
            got=f"{poses.clips.clip_id[0]}, ... in place of {part.clip_ids[0]}, ...",
            hint="prepare it from poses of the same clips, with the same names of files",
        )
    rows = np.array([row_of[part.clip_ids[index]] for index in shared])
    # Classes of a pickle are numbers, which match no name.
    known, _ = match_classes(poses.manifest.class_names, classes)
    labels_N, labels_there_N = part.labels_N[shared], known[poses.clips.label[rows]]
    differ = np.flatnonzero((labels_there_N >= 0) & (labels_there_N != labels_N))
    if len(differ):
        first = int(differ[0])
        raise InputError(
            f"a clip must have the same class in {poses.folder}",
            got=f"{poses.clips.clip_id[rows[first]]} of {classes[int(labels_there_N[first])]}, "
            f"not {classes[int(labels_N[first])]}",
            hint="prepare it from the same clips",
        )
    return replace(part, store=poses, rows=rows, labels_N=labels_N)
