"""Parser of NTU's .skeleton text files.

The file consists of blank-separated numbers: the frame count; per frame the body count; per body 10 numbers
of which the first is its id, the joint count 25, and per joint 12 numbers
``x y z depthX depthY colourX colourY qw qx qy qz state`` (meters; pixels of the 1920x1080 image).

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.ntu.bodies import Track, choose_persons
from autohier.data.skeleton import KINECT_V2_25, Skeleton, present_joints
from autohier.data.transforms.projection import NTU_COLOUR
from autohier.errors import ClipError
from autohier.files import open_regular

_MAX_FILE_BYTES = 256 << 20
_MAX_FRAMES, _MAX_DIGITS = 50_000, 9
"""Half an hour at 30 frames per second; a file of empty frames takes far more memory than its length."""
_BODY_NUMBERS = 10
_JOINT_NUMBERS = 12
_NUM_JOINTS = KINECT_V2_25.num_joints


def read_ntu_skeleton(path: Path) -> Skeleton:
    """Parse a .skeleton file into at most two persons, the most active first; see `choose_persons`.

    Pixels that are not finite are projected from the joint's position in meters. A joint without a position
    is NaN.

    Raises:
        ClipError: if the file cannot be read, is empty or malformed, or contains no body.
    """
    tokens = _read_tokens(path)
    num_frames, tracks = _parse(tokens)
    persons = choose_persons(list(tracks.values()))
    if not persons:
        raise ClipError("a skeleton must contain a body")
    # Allocated for the chosen persons only: for a file with a new id in every frame, all would take T * T.
    values_MTV5 = np.full((len(persons), num_frames, _NUM_JOINTS, 5), np.nan, dtype=np.float32)
    for person, own in enumerate(persons):
        for track in own:
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
        is_joined=any(len(own) > 1 for own in persons),
    )


def _read_tokens(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        tokens = content.decode("ascii").split()
    except OSError as error:
        raise ClipError("a skeleton must be readable", got=error) from error
    except UnicodeDecodeError as error:
        raise ClipError("a skeleton must be well formed", got="bytes that are not text") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ClipError("a skeleton must be well formed", got=f"more than {_MAX_FILE_BYTES >> 20} MiB")
    if not tokens:
        raise ClipError("a skeleton must not be empty")
    return tokens


def _parse(tokens: list[str]) -> tuple[int, dict[str, Track]]:
    """Return the frame count and the tracks by body id, which is text: a float cannot hold its 17 digits."""
    num_frames = _count_at(tokens, 0)
    if num_frames == 0:
        raise ClipError("a skeleton must not be empty", got="0 frames")
    if num_frames > _MAX_FRAMES:
        raise ClipError(f"a skeleton must have at most {_MAX_FRAMES:,} frames", got=num_frames)
    tracks: dict[str, Track] = {}
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
            track = tracks.setdefault(body_id, Track())
            if not track.frames or track.frames[-1] != frame:
                track.frames.append(frame)
                track.joints.append(joints_V5)
    if at != len(tokens):
        raise ClipError("a skeleton must be well formed", got=f"{len(tokens) - at} numbers after its end")
    return num_frames, tracks


def _count_at(tokens: list[str], at: int) -> int:
    if at >= len(tokens):
        raise ClipError("a skeleton must be complete", got=f"an end after {len(tokens)} numbers")
    if not tokens[at].isdigit() or len(tokens[at]) > _MAX_DIGITS:
        raise ClipError("a skeleton must be well formed", got=f"{tokens[at][:20]!r} for a count")
    return int(tokens[at])


def _joints_at(tokens: list[str], at: int) -> NDArray[np.float32]:
    end = at + _NUM_JOINTS * _JOINT_NUMBERS
    if end > len(tokens):
        raise ClipError("a skeleton must be complete", got=f"an end after {len(tokens)} numbers")
    try:
        values = np.array([_to_float(token) for token in tokens[at:end]], dtype=np.float64)
    except ValueError as error:
        raise ClipError("a skeleton must be well formed", got=error) from error
    # Larger numbers are damaged data: the sensor reaches a few thousand pixels.
    values[np.abs(values) > 1e6] = np.nan
    values_V5 = values.reshape(_NUM_JOINTS, _JOINT_NUMBERS)[:, [0, 1, 2, 5, 6]].astype(np.float32)
    values_V5[~present_joints(values_V5[:, :3]), :3] = np.nan
    return values_V5


def _to_float(token: str) -> float:
    # Windows, on which NTU was recorded, may print not-a-number as -1.#IND and infinity as 1.#INF.
    return float("nan") if "#" in token else float(token)
