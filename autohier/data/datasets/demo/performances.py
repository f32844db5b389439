"""Performances: the motion of one or two persons in the scene, independent of cameras.

The similarity tree is planted twice: siblings move the same limbs (see ``motions``), and every performance
blends in a random share of a sibling's motion and a smaller one of a cousin's.

Shape letters: N persons, T frames, V joints. Scene axes: x and z along the floor, y up; meters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autohier.data.datasets.demo.body import (
    LEFT_ELBOW,
    LEFT_SHOULDER,
    NECK,
    RIGHT_ELBOW,
    RIGHT_SHOULDER,
    SPINE_MID,
    Array,
    Motion,
    Person,
    make_person,
    pose_body,
)
from autohier.data.datasets.demo.motions import move, recoil
from autohier.data.datasets.demo.tree import PLANTED_LEVELS, TWO_PERSON_CLASSES, siblings
from autohier.digest import derive_seed

MIN_FRAMES, MAX_FRAMES = 28, 48
_FIRST_PARTNER = 1005  # no subject's number, and another shirt than the subject's
_SIBLING_SHARE, _COUSIN_SHARE = 0.25, 0.1
_WOBBLE_RAD = 0.05
_WOBBLING = (SPINE_MID, NECK, LEFT_SHOULDER, LEFT_ELBOW, RIGHT_SHOULDER, RIGHT_ELBOW)


@dataclass(frozen=True, slots=True)
class Performance:
    """Persons of one performance, and their joints ``[N, T, V, 3]`` in the scene, in meters."""

    persons: tuple[Person, ...]
    positions_NTV3: Array


def perform(seed: int, *, subject: int, replication: int, label: int) -> Performance:
    """Generate a subject's performance of a class; classes of two persons get a partner who is no subject."""
    rng = np.random.default_rng(derive_seed(seed, "performance", subject, replication, label))
    actor = make_person(seed, subject)
    num_frames = int(np.clip(round(rng.normal(38, 3) / actor.tempo), MIN_FRAMES, MAX_FRAMES))
    progress_T = _progress(num_frames, rng)
    size = actor.amplitude * rng.uniform(0.8, 1.1)
    facing = rng.uniform(-0.25, 0.25)
    motion = _wobble(_blend(label, progress_T, size, rng), rng)
    if label not in TWO_PERSON_CLASSES:
        position = np.array((rng.uniform(-0.3, 0.3), 0.0, rng.uniform(-0.3, 0.3)))
        return Performance((actor,), _place(pose_body(actor, motion), facing, position)[None])
    other = make_person(seed, _FIRST_PARTNER + subject)
    reaction = _wobble(recoil(progress_T, size), rng)
    # In profile to the middle camera, so that it records the whole length of a strike.
    facing += rng.choice((-1.0, 1.0)) * np.pi / 2
    apart = rng.uniform(0.95, 1.15) / 2 * np.array((np.sin(facing), 0.0, np.cos(facing)))
    positions_NTV3 = np.stack(
        (
            _place(pose_body(actor, motion), facing, -apart),
            _place(pose_body(other, reaction), facing + np.pi + rng.uniform(-0.2, 0.2), apart),
        )
    )
    return Performance((actor, other), positions_NTV3)


def _progress(num_frames: int, rng: np.random.Generator) -> Array:
    """Return progress from 0 to 1, locally faster or slower by a few percent of the clip."""
    t = np.linspace(0.0, 1.0, num_frames)
    return t + rng.uniform(-0.05, 0.05) * np.sin(np.pi * t) + rng.uniform(-0.03, 0.03) * np.sin(2 * np.pi * t)


def _blend(label: int, progress_T: Array, size: float, rng: np.random.Generator) -> Motion:
    """Blend the class's own motion with random shares of a sibling's and of a cousin's."""
    coarse, fine = sorted(PLANTED_LEVELS)
    close = siblings(label, fine)
    cousins = [other for other in siblings(label, coarse) if other not in close]
    own = move(label, progress_T, size)
    angles_TV3, path_T3 = own.angles_TV3, own.path_T3
    for others, max_share in ((close, _SIBLING_SHARE), (cousins, _COUSIN_SHARE)):
        other = move(int(rng.choice(others)), progress_T, size)
        share = rng.uniform(0.0, max_share)
        angles_TV3 = angles_TV3 + share * (other.angles_TV3 - own.angles_TV3)
        path_T3 = path_T3 + share * (other.path_T3 - own.path_T3)
    return Motion(angles_TV3, path_T3)


def _wobble(motion: Motion, rng: np.random.Generator) -> Motion:
    """Add a constant offset and slow oscillations to the trunk and the arms."""
    num_frames = len(motion.path_T3)
    t_T11 = np.linspace(0.0, 1.0, num_frames)[:, None, None]
    shape = (1, len(_WOBBLING), 3)
    swing = np.sin(2 * np.pi * (rng.uniform(0.5, 1.5, shape) * t_T11 + rng.uniform(0, 1, shape)))
    angles_TV3 = motion.angles_TV3.copy()
    angles_TV3[:, _WOBBLING] += _WOBBLE_RAD * (rng.normal(0, 1, shape) + rng.normal(0, 0.7, shape) * swing)
    return Motion(angles_TV3, motion.path_T3)


def _place(positions_TV3: Array, facing: float, position: Array) -> Array:
    """Rotate a body by an angle from the scene's z axis, and move it to its position."""
    cos, sin = np.cos(facing), np.sin(facing)
    turn = np.array(((cos, 0.0, sin), (0.0, 1.0, 0.0), (-sin, 0.0, cos)))
    placed_TV3: Array = positions_TV3 @ turn.T + position
    return placed_TV3
