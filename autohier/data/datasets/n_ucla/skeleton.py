"""N-UCLA's skeletons: a JSON file per clip, or a text file per frame.

The first line of the text is the number of bodies; each body is 20 lines of ``x,y,z,state``, in meters.
Bodies have no id: persons are identified by their position in the file.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.common.frame_folder import numbered_frames
from autohier.data.datasets.n_ucla.files import FRAME_IMAGE, FRAME_SKELETON
from autohier.data.skeleton import KINECT_V1_20, present_joints
from autohier.errors import ClipError
from autohier.files import open_regular

MAX_PERSONS = 2
_NUM_JOINTS = KINECT_V1_20.num_joints
_MAX_BODIES = 6  # limit of Kinect v1
_MAX_JSON_BYTES = 64 << 20
_MAX_TEXT_BYTES = 64 << 10
_ABSURD_M = 1000.0  # a joint at this distance is damaged data
_MALFORMED = "a skeleton must be well formed"


def read_ucla_json(path: Path, *, label: int) -> NDArray[np.float32]:
    """Read the joints [1, T, 20, 3] of a JSON file in meters, NaN if absent.

    Args:
        path: a file with the keys ``skeletons``, T x 20 x 3 numbers, and ``label``, 1..10.
        label: 0-based class in the file's name.

    Raises:
        ClipError: if the file cannot be read, is malformed, has another class or contains no body.
    """
    text = _read_text(path, _MAX_JSON_BYTES)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ClipError(_MALFORMED, got=f"invalid JSON: {error}") from error
    if not isinstance(content, dict) or not {"skeletons", "label"} <= content.keys():
        raise ClipError("a skeleton in JSON must have the keys skeletons and label")
    if type(content["label"]) is not int or content["label"] != label + 1:
        raise ClipError(
            f"the label of a skeleton must be {label + 1}, as in its file's name",
            got=repr(content["label"])[:40],
        )
    frames = content["skeletons"]
    if not isinstance(frames, list):
        raise ClipError(_MALFORMED, got="skeletons that are not a list of frames")
    if not frames:
        raise ClipError("a skeleton must not be empty", got="0 frames")
    return _choose_bodies(np.array([[_body_of_lists(frame) for frame in frames]], dtype=np.float64))


def read_ucla_folder(folder: Path) -> NDArray[np.float32]:
    """Read the joints [M, T, 20, 3] in a folder of frames in meters, NaN if absent; M is at most two.

    The frames are those of the folder's images, or of its skeletons if it has no images. A skeleton belongs
    to the image of the same number; an image without a skeleton shows no person. Persons are sorted by the
    number of frames that show them.

    Raises:
        ClipError: if the folder contains no skeleton files, one is malformed, or none contains a body.
    """
    by_number = dict(reversed(numbered_frames(folder, FRAME_SKELETON)))
    if not by_number:
        raise ClipError("a folder of frames must contain skeleton files")
    numbers = [number for number, _ in numbered_frames(folder, FRAME_IMAGE)] or sorted(by_number)
    frames = {
        frame: _parse_frame(by_number[number]) for frame, number in enumerate(numbers) if number in by_number
    }
    num_bodies = max(map(len, frames.values()), default=0)
    joints_MTV3 = np.full((num_bodies, len(numbers), _NUM_JOINTS, 3), np.nan)
    for frame, bodies_MV3 in frames.items():
        joints_MTV3[: len(bodies_MV3), frame] = bodies_MV3
    return _choose_bodies(joints_MTV3)


def _choose_bodies(joints_MTV3: NDArray[np.float64]) -> NDArray[np.float32]:
    is_present_MTV = present_joints(joints_MTV3) & (np.abs(joints_MTV3) < _ABSURD_M).all(axis=-1)
    joints_MTV3 = np.where(is_present_MTV[..., None], joints_MTV3, np.nan)
    num_seen_M = is_present_MTV.any(axis=2).sum(axis=1)
    chosen_M = [person for person in np.argsort(-num_seen_M, kind="stable") if num_seen_M[person]]
    if not chosen_M:
        raise ClipError("a skeleton must contain a body")
    return joints_MTV3[chosen_M[:MAX_PERSONS]].astype(np.float32)


def _body_of_lists(joints: object) -> list[list[float]]:
    if not isinstance(joints, list) or len(joints) != _NUM_JOINTS:
        raise ClipError(
            f"a body must have {_NUM_JOINTS} joints",
            got=len(joints) if isinstance(joints, list) else type(joints).__name__,
        )
    if not all(isinstance(joint, list) and len(joint) == 3 for joint in joints):
        raise ClipError("a joint must have 3 coordinates")
    return [[_number(value) for value in joint] for joint in joints]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClipError(_MALFORMED, got=f"{repr(value)[:40]} for a coordinate")
    # The comparison also covers integers beyond the range of floats.
    return float(value) if abs(value) < _ABSURD_M else float("nan")


def _parse_frame(path: Path) -> NDArray[np.float64]:
    """Parse the bodies [M, 20, 3] of one frame."""
    lines = [line.strip() for line in _read_text(path, _MAX_TEXT_BYTES).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise ClipError("a skeleton must not be empty", got=path.name)
    count, *joints = lines
    if count not in {str(number) for number in range(_MAX_BODIES + 1)}:
        raise ClipError(
            f"a frame must contain 0 to {_MAX_BODIES} bodies",
            got=f"{count[:20]!r} as their number in {path.name}",
        )
    num_lines = int(count) * _NUM_JOINTS
    if len(joints) != num_lines:
        raise ClipError(
            f"a body must have {_NUM_JOINTS} joints",
            got=f"{len(joints)} lines for {count} bodies in {path.name}",
        )
    values = [_parse_joint(line, path) for line in joints]
    return np.array(values, dtype=np.float64).reshape(int(count), _NUM_JOINTS, 3)


def _parse_joint(line: str, path: Path) -> list[float]:
    numbers = line.split(",")
    if len(numbers) != 4:
        raise ClipError(_MALFORMED, got=f"{line[:40]!r} instead of x,y,z,state in {path.name}")
    try:
        # Windows, on which the sensor ran, may print not-a-number as -1.#IND and infinity as 1.#INF.
        return [float("nan") if "#" in number else float(number) for number in numbers[:3]]
    except ValueError as error:
        raise ClipError(_MALFORMED, got=f"{error} in {path.name}") from error


def _read_text(path: Path, max_bytes: int) -> str:
    try:
        with open_regular(path) as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise ClipError(
                f"a skeleton file must have at most {max_bytes >> 10} KiB", got=f"more in {path.name}"
            )
        text = content.decode("utf-8")
    except OSError as error:
        raise ClipError("a skeleton must be readable", got=error) from error
    except UnicodeDecodeError as error:
        raise ClipError(_MALFORMED, got=f"bytes that are not text in {path.name}") from error
    if not text.strip():
        raise ClipError("a skeleton must not be empty", got=path.name)
    return text
