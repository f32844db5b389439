"""Choice of the persons among the bodies that a Kinect tracked.

The sensor gives a body a new id when it loses and finds it again, and it also tracks furniture. So tracks
that cannot be a person are dropped, and the others are joined: tracks are one person if they share no frame,
or only the one in which the sensor changes the id.

Shape letters: V joints; N frames in which one body was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_PERSONS = 2

# PYSKL's thresholds for bodies that are furniture. A person is taller than wide in most frames and tracked
# for at least 12 frames.
_MIN_TRACK_FRAMES = 12
_MAX_SPREAD_RATIO = 0.8
_MAX_WIDE_SHARE = 0.69754


@dataclass(slots=True, eq=False)
class Track:
    """Frames in which a body id was tracked, and its joints there as x y z colourX colourY."""

    frames: list[int] = field(default_factory=list)
    joints: list[NDArray[np.float32]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Body:
    """Track with a position in some frame, and the measures that decide if it is a person.

    Attributes:
        track: the track.
        activity: sum of the variances of X, Y and Z.
        wide_share: share of its frames in which it is too wide for its height.
    """

    track: Track
    activity: float
    wide_share: float


def choose_persons(tracks: Sequence[Track]) -> list[list[Track]]:
    """Drop furniture and return the tracks of at most two persons, the person with the most active first.

    NTU RGB+D FAQ 6 and 7: the main subject has the largest sum of the variances of X, Y and Z; a body that
    is too wide in X for its height in Y is furniture. As in PYSKL, tracks are placed in the order of their
    activity: a track belongs to the first person if it continues all of that person's tracks, else to the
    second under the same condition, and is dropped otherwise. A track continues another if they share no
    frame, or if the last frame of one is the first of the other, as in CTR-GCN's preprocessing; the less
    active track then has that frame. PYSKL compares spans from first to last frame instead, and its second
    person's span begins at frame 0. So it takes a track within a gap of the first person for the second one,
    and drops the earlier half of a second person whose id changes.

    If there is furniture only, the most active body is kept with the tracks that continue it, because people
    also lie down.
    """
    bodies = [_measure(track) for track in tracks if any(_has_position(joints) for joints in track.joints)]
    bodies.sort(key=lambda body: -body.activity)
    people = [body.track for body in bodies if _is_person(body)]
    if people:
        return _join(people)
    return _join([body.track for body in bodies])[:1]


def _join(tracks: Sequence[Track]) -> list[list[Track]]:
    """Return the tracks of each person, from tracks in descending order of activity."""
    persons: list[list[Track]] = []
    for track in tracks:
        person = next((own for own in persons if all(_continues(track, other) for other in own)), None)
        if person is not None:
            person.append(track)
        elif len(persons) < MAX_PERSONS:
            persons.append([track])
    return persons


def _continues(track: Track, other: Track) -> bool:
    """Return True if two tracks share no frame but the one in which the first ends and the second begins."""
    shared = set(track.frames).intersection(other.frames)
    ends = ({track.frames[-1], other.frames[0]}, {other.frames[-1], track.frames[0]})
    return not shared or (len(shared) == 1 and shared in ends)


def _measure(track: Track) -> _Body:
    joints_NV3 = np.stack(track.joints)[:, :, :3].astype(np.float64)
    is_upright_N = np.zeros(len(joints_NV3), dtype=np.bool_)
    # A frame without joints counts as wide.
    has_position_N = np.array([_has_position(joints) for joints in track.joints])
    spread_N3 = np.nanmax(joints_NV3[has_position_N], axis=1) - np.nanmin(joints_NV3[has_position_N], axis=1)
    is_upright_N[has_position_N] = spread_N3[:, 0] <= _MAX_SPREAD_RATIO * spread_N3[:, 1]
    activity = _activity(joints_NV3)
    if is_upright_N.any() and not is_upright_N.all():
        # As in PYSKL: a body that flickers is not more active for it.
        activity = min(activity, _activity(joints_NV3[is_upright_N]))
    return _Body(track, activity, 1 - float(is_upright_N.mean()))


def _activity(joints_NV3: NDArray[np.float64]) -> float:
    return float(np.nanvar(joints_NV3.reshape(-1, 3), axis=0).sum())


def _is_person(body: _Body) -> bool:
    return len(body.track.frames) >= _MIN_TRACK_FRAMES and body.wide_share < _MAX_WIDE_SHARE


def _has_position(joints_V5: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(joints_V5[:, :3]).any())
