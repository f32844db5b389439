"""The demo's persons: Kinect v2's skeleton of 25 joints, their properties, and forward kinematics.

Shape letters: T frames, V joints. Body axes: x to the person's left, y up, z forward; meters and radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.digest import derive_seed

Array = NDArray[np.float64]
Colour = tuple[int, int, int]

SPINE_BASE, SPINE_MID, NECK, HEAD = 0, 1, 2, 3
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST, LEFT_HAND = 4, 5, 6, 7
RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST, RIGHT_HAND = 8, 9, 10, 11
LEFT_HIP, LEFT_KNEE, LEFT_ANKLE, LEFT_FOOT = 12, 13, 14, 15
RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE, RIGHT_FOOT = 16, 17, 18, 19
SPINE_SHOULDER = 20
NUM_JOINTS = 25

# (joint, its parent, offset from the parent at rest in statures), parents before children. Segment lengths
# approximate Winter's anthropometric table ("Biomechanics and Motor Control", fig. 4.1).
_SKELETON: tuple[tuple[int, int, tuple[float, float, float]], ...] = (
    (SPINE_MID, SPINE_BASE, (0.0, 0.150, 0.0)),
    (SPINE_SHOULDER, SPINE_MID, (0.0, 0.140, 0.0)),
    (NECK, SPINE_SHOULDER, (0.0, 0.035, 0.0)),
    (HEAD, NECK, (0.0, 0.085, 0.010)),
    (LEFT_SHOULDER, SPINE_SHOULDER, (0.108, -0.015, 0.0)),
    (LEFT_ELBOW, LEFT_SHOULDER, (0.0, -0.175, 0.0)),
    (LEFT_WRIST, LEFT_ELBOW, (0.0, -0.145, 0.0)),
    (LEFT_HAND, LEFT_WRIST, (0.0, -0.045, 0.0)),
    (21, LEFT_HAND, (0.0, -0.045, 0.0)),
    (22, LEFT_HAND, (0.0, -0.015, 0.030)),
    (RIGHT_SHOULDER, SPINE_SHOULDER, (-0.108, -0.015, 0.0)),
    (RIGHT_ELBOW, RIGHT_SHOULDER, (0.0, -0.175, 0.0)),
    (RIGHT_WRIST, RIGHT_ELBOW, (0.0, -0.145, 0.0)),
    (RIGHT_HAND, RIGHT_WRIST, (0.0, -0.045, 0.0)),
    (23, RIGHT_HAND, (0.0, -0.045, 0.0)),
    (24, RIGHT_HAND, (0.0, -0.015, 0.030)),
    (LEFT_HIP, SPINE_BASE, (0.052, -0.010, 0.0)),
    (LEFT_KNEE, LEFT_HIP, (0.0, -0.240, 0.0)),
    (LEFT_ANKLE, LEFT_KNEE, (0.0, -0.235, 0.0)),
    (LEFT_FOOT, LEFT_ANKLE, (0.0, -0.030, 0.065)),
    (RIGHT_HIP, SPINE_BASE, (-0.052, -0.010, 0.0)),
    (RIGHT_KNEE, RIGHT_HIP, (0.0, -0.240, 0.0)),
    (RIGHT_ANKLE, RIGHT_KNEE, (0.0, -0.235, 0.0)),
    (RIGHT_FOOT, RIGHT_ANKLE, (0.0, -0.030, 0.065)),
)

PARENTS: tuple[int, ...] = tuple(
    parent for _, parent, _ in sorted([*_SKELETON, (SPINE_BASE, SPINE_BASE, (0.0, 0.0, 0.0))])
)
"""Parent of each joint; the spine base is its own parent."""

LEAVES: frozenset[int] = frozenset(range(NUM_JOINTS)) - frozenset(PARENTS)
"""Joints without children: head, hand tips, thumbs, feet."""

_ARM = frozenset({*range(LEFT_ELBOW, LEFT_HAND + 1), *range(RIGHT_ELBOW, RIGHT_HAND + 1), 21, 22, 23, 24})
_LEG = frozenset({*range(LEFT_KNEE, LEFT_FOOT + 1), *range(RIGHT_KNEE, RIGHT_FOOT + 1)})
_SOLE_M = 0.04

_SKINS: tuple[Colour, ...] = ((233, 190, 158), (214, 164, 128), (178, 124, 90), (132, 88, 62))
_SHIRTS: tuple[Colour, ...] = (
    (196, 52, 48), (40, 92, 176), (34, 128, 74), (222, 150, 36), (122, 62, 150),
    (24, 136, 148), (204, 84, 132), (226, 196, 60), (140, 92, 48), (96, 124, 36),
)  # fmt: skip
_TROUSERS: tuple[Colour, ...] = ((44, 52, 84), (52, 52, 56), (86, 62, 44), (58, 74, 60), (88, 84, 92))


@dataclass(frozen=True, slots=True)
class Person:
    """Proportions, colors and manner of movement of a person, the same in all clips of a subject."""

    offsets_V3: Array
    girth: float
    amplitude: float
    tempo: float
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion of a body: Euler angles of every joint ``[T, V, 3]`` and the path on the floor ``[T, 3]``."""

    angles_TV3: Array
    path_T3: Array


def make_person(seed: int, subject: int) -> Person:
    """Sample the subject with this number; subjects of consecutive numbers have different shirts."""
    rng = np.random.default_rng(derive_seed(seed, "subject", subject))
    stature_m = rng.uniform(1.55, 1.90)
    arm, leg, width = rng.uniform(0.94, 1.06, size=3)
    offsets_V3 = np.zeros((NUM_JOINTS, 3))
    for joint, _, offset in _SKELETON:
        scale = arm if joint in _ARM else leg if joint in _LEG else 1.0
        offsets_V3[joint] = np.array(offset) * (width, 1.0, 1.0) * scale * stature_m
    return Person(
        offsets_V3=offsets_V3,
        girth=float(rng.uniform(0.88, 1.18)),
        amplitude=float(rng.uniform(0.85, 1.10)),
        tempo=float(rng.uniform(0.85, 1.15)),
        skin=_SKINS[rng.integers(len(_SKINS))],
        hair=((38, 30, 26), (84, 56, 34), (168, 130, 76))[rng.integers(3)],
        shirt=_SHIRTS[(subject - 1) % len(_SHIRTS)],
        trousers=_TROUSERS[rng.integers(len(_TROUSERS))],
        shoes=((30, 30, 34), (210, 210, 206))[rng.integers(2)],
    )


def pose_body(person: Person, motion: Motion) -> Array:
    """Return joint positions ``[T, V, 3]`` by forward kinematics; the lower foot touches the floor y = 0.

    The angles of a joint rotate its children by Rz·Rx·Ry in the frame of its parent.
    """
    rotations_TV33 = _rotations(motion.angles_TV3)
    positions_TV3 = np.zeros_like(motion.angles_TV3)
    frames: dict[int, Array] = {SPINE_BASE: rotations_TV33[:, SPINE_BASE]}
    for joint, parent, _ in _SKELETON:
        frames[joint] = frames[parent] @ rotations_TV33[:, joint]
        positions_TV3[:, joint] = positions_TV3[:, parent] + frames[parent] @ person.offsets_V3[joint]
    soles_T = positions_TV3[:, (LEFT_ANKLE, LEFT_FOOT, RIGHT_ANKLE, RIGHT_FOOT), 1].min(axis=1)
    positions_TV3[:, :, 1] += _SOLE_M - soles_T[:, None]
    return positions_TV3 + motion.path_T3[:, None]


def _rotations(angles: Array) -> Array:
    """Return rotation matrices Rz·Rx·Ry, ``[..., 3, 3]``, of Euler angles ``[..., 3]`` about x, y and z."""
    (cx, cy, cz), (sx, sy, sz) = np.moveaxis(np.cos(angles), -1, 0), np.moveaxis(np.sin(angles), -1, 0)
    rows = (
        (cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy),
        (sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy),
        (-cx * sy, sx, cx * cy),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
