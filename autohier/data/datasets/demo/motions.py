"""The twelve motions as curves of joint angles over a clip's progress from 0 to 1.

Classes of one group move the same limbs and differ in path, phase or direction. Nothing here is random or
depends on the subject; ``performances`` adds both.

Shape letters: T frames, V joints. Angles are in radians; flexion is forward, abduction away from the body.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autohier.data.datasets.demo.body import (
    LEFT_ELBOW,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    NUM_JOINTS,
    RIGHT_ELBOW,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    SPINE_MID,
    Array,
    Motion,
)

_LEFT, _RIGHT = 1.0, -1.0
_ARM_JOINTS = {_LEFT: (LEFT_SHOULDER, LEFT_ELBOW), _RIGHT: (RIGHT_SHOULDER, RIGHT_ELBOW)}
_LEG_JOINTS = {_LEFT: (LEFT_HIP, LEFT_KNEE), _RIGHT: (RIGHT_HIP, RIGHT_KNEE)}


def stand(progress_T: Array) -> Motion:
    """Return the start of every motion: arms down, knees straight."""
    angles_TV3 = np.zeros((len(progress_T), NUM_JOINTS, 3))
    for side in (_LEFT, _RIGHT):
        _arm(angles_TV3, side, flex=0.05, abduct=0.12, elbow=0.25)
    return Motion(angles_TV3, np.zeros((len(progress_T), 3)))


def move(label: int, progress_T: Array, amplitude: float) -> Motion:
    """Return one person's motion of a class; that of the attacker if there are two persons.

    Args:
        label: the class, from 0.
        progress_T: progress of the motion, from 0 to 1.
        amplitude: scale of the motion; 1 is its designed size, 0 is standing still.
    """
    motion = stand(progress_T)
    _CURVES[label](motion.angles_TV3, motion.path_T3, progress_T, amplitude)
    return motion


def recoil(progress_T: Array, amplitude: float) -> Motion:
    """Return the motion of the attacked person in every attack: lean back, step back, lift the arms."""
    motion = stand(progress_T)
    hit_T = amplitude * _smoothstep((progress_T - 0.45) / 0.2)
    motion.angles_TV3[:, SPINE_MID, 0] = -0.25 * hit_T
    for side in (_LEFT, _RIGHT):
        _arm(motion.angles_TV3, side, flex=0.05 + 0.6 * hit_T, abduct=0.12 + 0.25 * hit_T, elbow=0.25 + hit_T)
    _leg(motion.angles_TV3, _LEFT, flex=-0.35 * hit_T, knee=0.25 * hit_T)
    _leg(motion.angles_TV3, _RIGHT, flex=0.35 * hit_T, knee=0.1 * hit_T)
    motion.path_T3[:, 2] = -0.22 * hit_T
    return motion


def _wave(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    up = _hold(t)
    sway = size * np.sin(2 * np.pi * 3 * t)
    _arm(angles_TV3, _RIGHT, abduct=0.12 + 1.55 * up, twist=1.5 * up, elbow=0.25 + up * (1.3 + 0.65 * sway))


def _draw_circle(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    up, turn = _hold(t), 2 * np.pi * 2 * t
    _arm(
        angles_TV3,
        _RIGHT,
        flex=0.05 + up * (1.35 + 0.75 * size * np.cos(turn)),
        abduct=0.12 + up * (0.2 + 0.75 * size * np.sin(turn)),
        elbow=0.25,
    )


def _knock(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    up, hit = _hold(t), _pulses(t, 3)
    _arm(
        angles_TV3,
        _RIGHT,
        flex=0.05 + up * (0.75 + 0.6 * size * hit),
        abduct=0.12,
        elbow=0.25 + up * (2.0 - 1.9 * size * hit),
    )


def _clap(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    up, closed = _hold(t), 0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)
    for side in (_LEFT, _RIGHT):
        _arm(
            angles_TV3,
            side,
            flex=0.05 + 1.25 * up,
            abduct=0.12 + up * (0.75 * size * (1 - closed) - 0.4),
            elbow=0.25 + 0.15 * up,
        )


def _raise_arms(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    for side in (_LEFT, _RIGHT):
        _arm(angles_TV3, side, abduct=0.12 + 2.9 * size * _pulses(t, 2), elbow=0.2)


def _circle_arms(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    up, turn = _hold(t), 2 * np.pi * 2 * t
    for side in (_LEFT, _RIGHT):
        _arm(
            angles_TV3,
            side,
            flex=0.05 + up * 0.7 * size * np.sin(turn),
            abduct=0.12 + up * (1.4 + 0.55 * size * np.cos(turn)),
            elbow=0.2,
        )


def _kick(angles_TV3: Array, t: Array, size: float, num_kicks: int) -> None:
    hit = size * _pulses(t, num_kicks)
    _leg(
        angles_TV3, _RIGHT, flex=1.35 * hit, knee=0.9 * size * _pulses(t + 0.06, num_kicks) * (1 - hit / 1.3)
    )
    angles_TV3[:, SPINE_MID, 0] -= 0.18 * hit
    _arm(angles_TV3, _LEFT, flex=0.05 + 0.5 * hit, abduct=0.12 + 0.2 * hit, elbow=0.4)


def _kick_forward(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    _kick(angles_TV3, t, size, num_kicks=2)


def _kick_sideways(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    hit = size * _pulses(t, 2)
    _leg(angles_TV3, _RIGHT, abduct=1.15 * hit, knee=0.15 * hit)
    angles_TV3[:, SPINE_MID, 2] += -0.22 * hit
    for side in (_LEFT, _RIGHT):
        _arm(angles_TV3, side, abduct=0.12 + 0.45 * hit, elbow=0.4)


def _march(angles_TV3: Array, _path_T3: Array, t: Array, size: float) -> None:
    swing = size * np.sin(2 * np.pi * 2 * t)
    for side, lift in ((_LEFT, np.maximum(-swing, 0)), (_RIGHT, np.maximum(swing, 0))):
        _leg(angles_TV3, side, flex=1.3 * lift, knee=1.5 * lift)
        _arm(angles_TV3, side, flex=0.05 + 0.5 * side * swing, abduct=0.12, elbow=0.5)


def _push_other(angles_TV3: Array, path_T3: Array, t: Array, size: float) -> None:
    up, hit = _step_in(angles_TV3, path_T3, t, size)
    for side in (_LEFT, _RIGHT):
        _arm(
            angles_TV3, side, flex=0.05 + 0.8 * up + 0.7 * hit, abduct=0.12, elbow=0.25 + 1.7 * up - 1.7 * hit
        )
    angles_TV3[:, SPINE_MID, 0] += 0.25 * hit


def _punch_other(angles_TV3: Array, path_T3: Array, t: Array, size: float) -> None:
    up, hit = _step_in(angles_TV3, path_T3, t, size)
    _arm(
        angles_TV3, _RIGHT, flex=0.05 + 0.8 * up + 0.75 * hit, abduct=0.12, elbow=0.25 + 1.7 * up - 1.8 * hit
    )
    _arm(angles_TV3, _LEFT, flex=0.05 - 0.5 * hit, abduct=0.12, elbow=0.25 + 1.2 * up)
    angles_TV3[:, SPINE_MID, 1] += 0.35 * hit


def _kick_other(angles_TV3: Array, path_T3: Array, t: Array, size: float) -> None:
    _step_in(angles_TV3, path_T3, t, size)
    _kick(angles_TV3, t, size, num_kicks=1)


def _step_in(angles_TV3: Array, path_T3: Array, t: Array, size: float) -> tuple[Array, Array]:
    """Step towards the other person; return how far the limbs are raised and how far they have struck."""
    up, hit = _hold(t), size * _pulses(t, 1)
    path_T3[:, 2] += 0.25 * hit
    angles_TV3[:, SPINE_MID, 0] += 0.16 * hit
    _leg(angles_TV3, _LEFT, flex=0.45 * hit, knee=0.3 * hit)
    _leg(angles_TV3, _RIGHT, flex=-0.35 * hit, knee=0.15 * hit)
    return up, hit


_CURVES: tuple[Callable[[Array, Array, Array, float], None], ...] = (
    _wave, _clap, _kick_forward, _push_other,
    _draw_circle, _raise_arms, _kick_sideways, _punch_other,
    _knock, _circle_arms, _march, _kick_other,
)  # fmt: skip


def _arm(
    angles_TV3: Array,
    side: float,
    *,
    flex: Array | float = 0.0,
    abduct: Array | float = 0.0,
    twist: Array | float = 0.0,
    elbow: Array | float = 0.0,
) -> None:
    """Pose one arm; a twist of 90° turns the bent forearm of an abducted arm from forward to upward."""
    shoulder, elbow_joint = _ARM_JOINTS[side]
    for axis, angle in enumerate((-1.0 * flex, side * twist, side * abduct)):
        angles_TV3[:, shoulder, axis] = angle
    angles_TV3[:, elbow_joint, 0] = -1.0 * elbow


def _leg(
    angles_TV3: Array,
    side: float,
    *,
    flex: Array | float = 0.0,
    abduct: Array | float = 0.0,
    knee: Array | float = 0.0,
) -> None:
    hip, knee_joint = _LEG_JOINTS[side]
    angles_TV3[:, hip, 0] = -1.0 * flex
    angles_TV3[:, hip, 2] = side * abduct
    angles_TV3[:, knee_joint, 0] = knee


def _smoothstep(x: Array) -> Array:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def _hold(t: Array) -> Array:
    """Return a curve that rises to 1 in the first seventh of a clip and falls to 0 in the last."""
    return _smoothstep(7 * t) * _smoothstep(7 * (1 - t))


def _pulses(t: Array, num_pulses: int) -> Array:
    """Return evenly spaced pulses from 0 to 1 and back."""
    return np.sin(np.pi * num_pulses * np.clip(t, 0.0, 1.0)) ** 2
