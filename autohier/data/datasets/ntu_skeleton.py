"""NTU's .skeleton text: parsing it, and choosing whose body is whose.

The file is blank-separated numbers: the frame count; per frame the body count; per body 10 numbers that
begin with its id, the joint count 25, and per joint 12 numbers
``x y z depthX depthY colourX colourY qw qx qy qz state`` (metres; pixels of the 1920x1080 image).

Shape letters: M persons, T frames, V joints; N frames in which one body was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.data.preprocessing.projection import NTU_COLOUR
from autohier.data.skeleton import KINECT_V2_25, Skeleton
from autohier.errors import ClipError
from autohier.files import open_regular

MAX_PERSONS = 2
_MAX_FILE_BYTES = 256 << 20
_MOST_FRAMES, _MOST_DIGITS = 50_000, 9
"""Half an hour at 30 frames per second; a file of empty frames would ask for far more memory than it has."""
_BODY_NUMBERS = 10
_JOINT_NUMBERS = 12
_NUM_JOINTS = KINECT_V2_25.num_joints

# Bodies that are furniture: PYSKL's numbers for the dataset page's rule. A person is taller than wide
# in most frames and is seen for longer than a blink.
_MIN_TRACK_FRAMES = 12
_MAX_SPREAD_RATIO = 0.8
_MAX_WIDE_SHARE = 0.69754


@dataclass(slots=True)
class _Track:
    """One body id: the frames in which it was seen and its joints there, as x y z colourX colourY."""

    frames: list[int] = field(default_factory=list)
    joints: list[NDArray[np.float32]] = field(default_factory=list)


def read_ntu_skeleton(path: Path) -> Skeleton:
    """Parse a .skeleton file into at most two persons, the most active first.

    Pixels that are not finite are projected from the joint's metres; a joint without metres is NaN.

    Raises:
        ClipError: where the file cannot be read, is empty or malformed, or holds no body.
    """
    tokens = _read_tokens(path)
    num_frames, tracks = _parse(tokens)
    chosen = _choose_bodies(list(tracks.values()))
    if not chosen:
        raise ClipError("a skeleton must hold a body")
    # Allocated for the chosen alone: a file with a new body id in every frame would square its size.
    values_MTV5 = np.full((len(chosen), num_frames, _NUM_JOINTS, 5), np.nan, dtype=np.float32)
    for person, track in enumerate(chosen):
        values_MTV5[person, track.frames] = np.stack(track.joints)
    joints_MTV3, pixels_MTV2 = np.ascontiguousarray(values_MTV5[..., :3]), values_MTV5[..., 3:]
    has_pixel_MTV1 = np.isfinite(pixels_MTV2).all(axis=-1, keepdims=True)
    pixels_MTV2 = np.where(has_pixel_MTV1, pixels_MTV2, NTU_COLOUR.project(joints_MTV3))
    return Skeleton(
        joints_MTV3_m=joints_MTV3,
        pixels_MTV2=pixels_MTV2,
        image_width_px=NTU_COLOUR.image_width_px,
        image_height_px=NTU_COLOUR.image_height_px,
        layout=KINECT_V2_25.name,
    )


def _read_tokens(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        tokens = content.decode("ascii").split()
    except OSError as error:
        raise ClipError("a skeleton must be readable", got=error) from error
    except UnicodeDecodeError as error:
        raise ClipError("a skeleton must be well formed", got="bytes that are no text") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ClipError("a skeleton must be well formed", got=f"more than {_MAX_FILE_BYTES >> 20} MiB")
    if not tokens:
        raise ClipError("a skeleton must not be empty")
    return tokens


def _parse(tokens: list[str]) -> tuple[int, dict[str, _Track]]:
    """The frame count, and the tracks by body id: ids have 17 digits, more than a float keeps."""
    num_frames = _count_at(tokens, 0)
    if num_frames == 0:
        raise ClipError("a skeleton must not be empty", got="0 frames")
    if num_frames > _MOST_FRAMES:
        raise ClipError("a skeleton must be of a clip", got=f"{num_frames} frames")
    tracks: dict[str, _Track] = {}
    at = 1
    for frame in range(num_frames):
        num_bodies = _count_at(tokens, at)
        at += 1
        for _ in range(num_bodies):
            num_joints = _count_at(tokens, at + _BODY_NUMBERS)
            if num_joints != _NUM_JOINTS:
                raise ClipError("a body must have 25 joints", got=num_joints)
            body_id = tokens[at]
            at += _BODY_NUMBERS + 1
            joints_V5 = _joints_at(tokens, at)
            at += _NUM_JOINTS * _JOINT_NUMBERS
            track = tracks.setdefault(body_id, _Track())
            if not track.frames or track.frames[-1] != frame:
                track.frames.append(frame)
                track.joints.append(joints_V5)
    if at != len(tokens):
        raise ClipError("a skeleton must be well formed", got=f"{len(tokens) - at} numbers after its end")
    return num_frames, tracks


def _count_at(tokens: list[str], at: int) -> int:
    if at >= len(tokens):
        raise ClipError("a skeleton must be whole", got=f"an end after {len(tokens)} numbers")
    if not tokens[at].isdigit() or len(tokens[at]) > _MOST_DIGITS:
        raise ClipError("a skeleton must be well formed", got=f"{tokens[at][:20]!r} for a count")
    return int(tokens[at])


def _joints_at(tokens: list[str], at: int) -> NDArray[np.float32]:
    end = at + _NUM_JOINTS * _JOINT_NUMBERS
    if end > len(tokens):
        raise ClipError("a skeleton must be whole", got=f"an end after {len(tokens)} numbers")
    try:
        values = np.array([_to_float(token) for token in tokens[at:end]], dtype=np.float64)
    except ValueError as error:
        raise ClipError("a skeleton must be well formed", got=error) from error
    # Beyond float32 a number is no measurement; the sensor itself reaches a few thousand pixels.
    values[np.abs(values) > 1e6] = np.nan
    values_V5 = values.reshape(_NUM_JOINTS, _JOINT_NUMBERS)[:, [0, 1, 2, 5, 6]].astype(np.float32)
    values_V5[~np.isfinite(values_V5[:, :3]).all(axis=1), :3] = np.nan
    return values_V5


def _to_float(token: str) -> float:
    # Windows, where NTU was recorded, may print not-a-number as -1.#IND and infinity as 1.#INF.
    return float("nan") if "#" in token else float(token)


def _choose_bodies(tracks: list[_Track]) -> list[_Track]:
    """Drop furniture, order by activity, keep two.

    NTU RGB+D FAQ 6 and 7: the main subject has the largest sum of the variances of X, Y and Z; a body
    that spreads too far in X for its Y is none. Where only such bodies exist the most active one stays,
    for people also lie down.
    """
    tracks = [track for track in tracks if any(np.isfinite(joints[:, :3]).any() for joints in track.joints)]
    tracks = sorted(tracks, key=_activity, reverse=True)
    people = [track for track in tracks if _is_person(track)]
    return people[:MAX_PERSONS] if people else tracks[:1]


def _activity(track: _Track) -> float:
    points_N3 = np.concatenate(track.joints)[:, :3].astype(np.float64)
    return float(np.nanvar(points_N3, axis=0).sum())


def _is_person(track: _Track) -> bool:
    joints_NV3 = np.stack(track.joints)[:, :, :3]
    # A frame whose joints are all absent says nothing about the shape and counts as wide.
    is_there_N = np.all(np.isfinite(joints_NV3).any(axis=1), axis=1)
    joints_NV3 = joints_NV3[is_there_N]
    spread_N3 = np.nanmax(joints_NV3, axis=1) - np.nanmin(joints_NV3, axis=1)
    num_upright = int(np.count_nonzero(spread_N3[:, 0] <= _MAX_SPREAD_RATIO * spread_N3[:, 1]))
    num_frames = len(track.frames)
    return num_frames >= _MIN_TRACK_FRAMES and 1 - num_upright / num_frames < _MAX_WIDE_SHARE
