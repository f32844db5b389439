"""Persons followed over the frames of a video.

Legend: M persons, T frames, V joints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from autohier.poses.estimator import FoundPerson

_MAX_DISTANCE: Final = 0.5
"""Mean distance of the joints of one person in two frames, in diagonals of the person's box, at most."""
_MAX_GAP: Final = 30
"""Frames that a person may be missed and still be the same one."""
_NEVER: Final = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Poses of the persons in a video, as PYSKL and pose files hold them."""

    keypoint_MTV2: NDArray[np.float32]
    """Pixels; 0 where a person is absent."""
    keypoint_score_MTV: NDArray[np.float32]
    """Scores in 0..1; 0 where a person is absent."""


@dataclass(slots=True, eq=False)
class _Track:
    persons: dict[int, FoundPerson] = field(default_factory=dict)
    """The person by the number of the frame."""

    @property
    def last(self) -> int:
        return next(reversed(self.persons))

    @property
    def total_score(self) -> float:
        return sum(person.score for person in self.persons.values())


def follow(frames: Iterable[Sequence[FoundPerson]], *, num_joints: int, max_persons: int) -> Poses:
    """Join the persons of all frames to tracks and keep the surest.

    A person continues the track whose joints are nearest to its own; persons and tracks are paired so that
    the sum of the distances is smallest. Persons that are far from every track begin one.

    Args:
        frames: persons of each frame.
        num_joints: V.
        max_persons: number of tracks that are kept at most: those with the largest sum of scores.
    """
    tracks: list[_Track] = []
    num_frames = 0
    for number, persons in enumerate(frames):
        num_frames = number + 1
        recent = [track for track in tracks if number - track.last <= _MAX_GAP]
        for person, track in zip(persons, _assign(persons, recent), strict=True):
            if track is None:
                tracks.append(track := _Track())
            track.persons[number] = person
    kept = sorted(tracks, key=lambda track: -track.total_score)[:max_persons]
    poses = Poses(
        np.zeros((len(kept), num_frames, num_joints, 2), dtype=np.float32),
        np.zeros((len(kept), num_frames, num_joints), dtype=np.float32),
    )
    for index, track in enumerate(kept):
        for number, person in track.persons.items():
            poses.keypoint_MTV2[index, number] = person.joints_V2
            poses.keypoint_score_MTV[index, number] = person.scores_V
    return poses


def _assign(persons: Sequence[FoundPerson], tracks: Sequence[_Track]) -> list[_Track | None]:
    """Return the track that each person continues; None for one that begins a track."""
    found: list[_Track | None] = [None] * len(persons)
    if not persons or not tracks:
        return found
    distances = np.array(
        [[_distance(person, track.persons[track.last]) for track in tracks] for person in persons]
    )
    # Pairs that are too far apart cost the same, so that they do not keep others from their nearest.
    costs = np.where(distances <= _MAX_DISTANCE, distances, _NEVER)
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        if costs[row, column] < _NEVER:
            found[row] = tracks[column]
    return found


def _distance(one: FoundPerson, other: FoundPerson) -> float:
    """Return the mean distance of the joints that both show, in diagonals of the larger box."""
    is_shared_V = (one.scores_V > 0) & (other.scores_V > 0)
    if not is_shared_V.any():
        return _NEVER
    pair_2V2 = np.stack([one.joints_V2[is_shared_V], other.joints_V2[is_shared_V]])
    diagonal = float(np.linalg.norm(np.ptp(pair_2V2, axis=1), axis=1).max())
    mean = float(np.linalg.norm(pair_2V2[0] - pair_2V2[1], axis=1).mean())
    return mean / max(diagonal, 1.0)
