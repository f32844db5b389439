"""What a contact sheet shows of one prepared clip: which frames, where the joints lie in them, what is known.

Shape letters: M persons, T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.data.preparation_steps import evenly_spaced
from autohier.data.skeleton import LAYOUTS, Skeleton
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.reports.clip_geometry import (
    Points,
    Window,
    finite_points,
    front_points,
    share_inside,
    source_points,
    square_around,
)

_BLANK_PX = 256
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class ClipView:
    """One clip, ready to be drawn.

    Attributes:
        header: what is known of it, in lines.
        frame_indices: of the frames shown, counted in the source.
        frames_THWC: uint8, square, as stored; white where the store holds skeletons alone.
        points_MTV2: joints of every frame of the skeleton, in the source's pixels, or in metres where
            the skeleton has no pixels; rows run down, NaN where absent.
        bones: pairs of joints.
        source: the source frame in the units of the points; None in metres.
        window: what the square frames show of it.
    """

    header: tuple[str, ...]
    frame_indices: tuple[int, ...]
    frames_THWC: NDArray[np.uint8]
    points_MTV2: Points
    bones: tuple[tuple[int, int], ...]
    source: Window | None
    window: Window


def find_clip(clip_ids: Sequence[str], wanted: str) -> int:
    """The row of a clip, by its id or by a beginning that no other id has.

    Raises:
        InputError: where there is none, with the ids that are most like it, or more than one.
    """
    if wanted in clip_ids:
        return clip_ids.index(wanted)
    begun = [clip_id for clip_id in clip_ids if clip_id.startswith(wanted)]
    if len(begun) == 1:
        return clip_ids.index(begun[0])
    if begun:
        named = ", ".join(begun[:_MOST_NAMED])
        raise InputError(
            f"the beginning of a clip's id must be of one clip, and {wanted!r} is of {len(begun)}",
            remedy=f"write more of it, e.g. {named}",
        )
    near = difflib.get_close_matches(wanted, clip_ids, n=_MOST_NAMED, cutoff=0.0)
    raise InputError(
        "the store must hold the clip", got=repr(wanted), remedy=f"nearest are {', '.join(near)}"
    )


def view_clip(store: ClipStore, row: int, num_frames: int) -> ClipView:
    """Choose at most ``num_frames`` evenly spaced frames of a clip and place its joints.

    Args:
        store: which holds it.
        row: which clip.
        num_frames: at least 1; of the kept frames, or the skeleton's where no frames are kept.
    """
    skeleton, size_px = store.skeleton(row), store.video_size_px(row)
    box, source = Window(*store.box_px(row)), Window(0, 0, *size_px)
    is_blank = not store.manifest.channels
    flat = is_blank and not np.isfinite(skeleton.pixels_MTV2).any()
    points_MTV2 = front_points(skeleton) if flat else source_points(skeleton, size_px)
    if is_blank:
        frame_indices = evenly_spaced(skeleton.num_frames, num_frames)
        frames_THWC = np.full((len(frame_indices), _BLANK_PX, _BLANK_PX, 3), 255, dtype=np.uint8)
    else:
        positions = evenly_spaced(store.num_kept(row), num_frames)
        frame_indices = tuple(store.frame_indices(row)[list(positions)].tolist())
        frames_THWC = store.frames(row, positions)
    placed = "in metres, from the front" if flat else _place(size_px, box, is_blank=is_blank)
    people = _describe_people(skeleton, points_MTV2, None if is_blank else box)
    return ClipView(
        header=(_name(store, row), f"{int(store.clips.num_frames[row])} frames, {placed}", people),
        frame_indices=frame_indices,
        frames_THWC=frames_THWC,
        points_MTV2=points_MTV2,
        bones=LAYOUTS[skeleton.layout].edges,
        source=None if flat else source,
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
    # Readers write 1 for every clip where the dataset does not number it.
    numbers = [f"{name} {column[row]}" for name, column in columns.items() if (column != 1).any()]
    return ", ".join([clips.clip_id[row], store.manifest.class_names[clips.label[row]], *numbers])


def _place(size_px: tuple[int, int], box: Window, *, is_blank: bool) -> str:
    source = f"source {size_px[0]} x {size_px[1]} px"
    if is_blank:
        return f"{source}, skeletons alone"
    left, top, right, bottom = box
    return f"{source}, box {left}, {top} to {right}, {bottom} px ({right - left} x {bottom - top})"


def _describe_people(skeleton: Skeleton, points_MTV2: Points, box: Window | None) -> str:
    is_there_M = np.isfinite(skeleton.joints_MTV3_m).any(axis=(1, 2, 3))
    is_there_M |= np.isfinite(skeleton.pixels_MTV2).any(axis=(1, 2, 3))
    num_persons = int(is_there_M.sum())
    if num_persons == 0:
        return "no skeleton"
    people = f"{num_persons} {'person' if num_persons == 1 else 'persons'}"
    length = f"skeleton of {skeleton.num_frames} frames"
    if len(finite_points(points_MTV2)) == 0:
        return f"{people}, {length}, no joint has a place in the image"
    if box is None:
        return f"{people}, {length}"
    return f"{people}, {length}, {share_inside(points_MTV2, box):.1%} of the joints inside the box"
