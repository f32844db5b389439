"""View of one prepared clip for a contact sheet: its frames, the joints in them, and its description.

Shape letters: M persons, T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.data.names import composed
from autohier.data.skeleton import Skeleton
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.sampling import evenly_spaced
from autohier.errors import InputError
from autohier.reports.clips.geometry import (
    Points,
    Window,
    finite_points,
    front_points,
    share_inside,
    source_points,
    square_around,
)

_BLANK_PX = 256
_MAX_LISTED = 3


@dataclass(frozen=True, slots=True)
class ClipView:
    """One clip, ready for drawing.

    Attributes:
        header: lines that describe it.
        frame_indices: indices of the shown frames in the source.
        frames_THWC: uint8, square, as stored; white if the store holds only skeletons.
        points_MTV2: joints of every frame of the skeleton, in pixels of the source, or in meters if the
            skeleton has no pixel coordinates; y points down, NaN if missing.
        bones: pairs of joint indices.
        source: the source frame in pixels; None if the points are in meters.
        window: part of the source that the square frames show.
    """

    header: tuple[str, ...]
    frame_indices: tuple[int, ...]
    frames_THWC: NDArray[np.uint8]
    points_MTV2: Points
    bones: tuple[tuple[int, int], ...]
    source: Window | None
    window: Window


def find_clip(clip_ids: Sequence[str], wanted: str) -> int:
    """Return the row of a clip, by its id or by a unique prefix of it.

    Raises:
        InputError: if no clip or several clips match; the message lists similar ids.
    """
    wanted = composed(wanted)
    if wanted in clip_ids:
        return clip_ids.index(wanted)
    matches = [clip_id for clip_id in clip_ids if clip_id.startswith(wanted)]
    if len(matches) == 1:
        return clip_ids.index(matches[0])
    if matches:
        listed = ", ".join(matches[:_MAX_LISTED])
        raise InputError(
            "the beginning of a clip id must be unique",
            got=f"{wanted!r} of {len(matches)} clips",
            hint=f"write more of it, e.g. {listed}",
        )
    near = difflib.get_close_matches(wanted, clip_ids, n=_MAX_LISTED, cutoff=0.0)
    raise InputError(
        "the store must hold the clip", got=repr(wanted), hint=f"similar ids are {', '.join(near)}"
    )


def view_clip(store: ClipStore, row: int, num_frames: int) -> ClipView:
    """Return a view of a clip with at most ``num_frames`` evenly spaced frames.

    Args:
        store: clip store that holds it.
        row: index of the clip in the store.
        num_frames: at least 1; chosen from the stored frames, or the skeleton's if the store has none.
    """
    skeleton, size_px = store.skeleton(row), store.video_size_px(row)
    box, source = Window(*store.box_px(row)), Window(0, 0, *size_px)
    is_blank = not store.manifest.channels  # the store holds only skeletons
    in_metres = is_blank and not np.isfinite(skeleton.pixels_MTV2).any()
    points_MTV2 = front_points(skeleton) if in_metres else source_points(skeleton, size_px)
    if is_blank:
        frame_indices = evenly_spaced(skeleton.num_frames, num_frames)
        frames_THWC = np.full((len(frame_indices), _BLANK_PX, _BLANK_PX, 3), 255, dtype=np.uint8)
    else:
        positions = evenly_spaced(store.num_kept(row), num_frames)
        frame_indices = tuple(store.frame_indices(row)[list(positions)].tolist())
        frames_THWC = store.frames(row, positions)
    geometry = "in meters, front view" if in_metres else _describe_source(size_px, box, is_blank=is_blank)
    persons = _describe_persons(skeleton, points_MTV2, None if is_blank else box)
    return ClipView(
        header=(_name(store, row), f"{int(store.clips.num_frames[row])} frames, {geometry}", persons),
        frame_indices=frame_indices,
        frames_THWC=frames_THWC,
        points_MTV2=points_MTV2,
        bones=store.manifest.layout.edges,
        source=None if in_metres else source,
        window=square_around(points_MTV2) if is_blank else box,
    )


def _name(store: ClipStore, row: int) -> str:
    clips = store.clips
    columns = {
        "subject": clips.subject,
        "camera": clips.camera,
        "setup": clips.setup,
        "replication": store.replications(),
    }
    # Readers write 1 for every clip if the dataset has no such number.
    numbers = [f"{name} {column[row]}" for name, column in columns.items() if (column != 1).any()]
    return ", ".join([clips.clip_id[row], store.manifest.class_names[clips.label[row]], *numbers])


def _describe_source(size_px: tuple[int, int], box: Window, *, is_blank: bool) -> str:
    source = f"source {size_px[0]} x {size_px[1]} px"
    if is_blank:
        return f"{source}, skeletons only"
    left, top, right, bottom = box
    return f"{source}, crop box {left}, {top} to {right}, {bottom} px ({right - left} x {bottom - top})"


def _describe_persons(skeleton: Skeleton, points_MTV2: Points, box: Window | None) -> str:
    num_persons = skeleton.num_visible_persons
    if num_persons == 0:
        return "no skeleton"
    persons = f"{num_persons} {'person' if num_persons == 1 else 'persons'}"
    length = f"skeleton of {skeleton.num_frames} frames"
    if len(finite_points(points_MTV2)) == 0:
        return f"{persons}, {length}, no joint has image coordinates"
    if box is None:
        return f"{persons}, {length}"
    return f"{persons}, {length}, {share_inside(points_MTV2, box):.1%} of the joints inside the crop box"
