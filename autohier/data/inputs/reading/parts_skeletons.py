"""Reading of pictures of the hands and the body, with joint coordinates of the same clip.

Legend: B clips, C channels or coordinates, M persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.reading.frames_skeletons import SKELETONS
from autohier.data.inputs.reading.skeletons import SkeletonReading
from autohier.data.inputs.stores import PictureStore
from autohier.data.transforms.arrays.frames import center_crop, normalize
from autohier.data.transforms.boxes import Box
from autohier.data.transforms.constants import PixelScale
from autohier.data.transforms.crop import crop_and_resize
from autohier.data.transforms.parts import OTHER_SIDE, Picture, hand_joints, part_boxes
from autohier.data.transforms.sampling import row_positions, segment_positions, set_offset


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsSkeletonsReading:
    """Clips as one picture per frame and part, by the part's name, and as ``skeletons``.

    Implements `ClipReading`. Frames of the pictures and of the skeletons are sampled on their own, from one
    random state for both. If a hand is read, so is the other one, which a mirrored clip shows in its place.
    """

    frees_interpreter: ClassVar[bool] = True

    store: PictureStore
    skeletons: SkeletonReading
    channels: int
    parts: tuple[str, ...]
    hand_size: float
    sampling: Literal["in-a-row", "segments"]
    num_frames: int
    resize_px: int
    crop_px: int
    test_offsets: Literal["fixed", "drawn"] = "fixed"
    pixel_scale: PixelScale = "statistics"

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.store.clips.label

    @property
    def clip_shape(self) -> dict[str, tuple[int, ...]]:
        """[C, T, H, W] of every part and [M, T, V, C] of the skeletons."""
        picture = (self.channels, self.num_frames, self.crop_px, self.crop_px)
        return {**dict.fromkeys(self.parts, picture), SKELETONS: self.skeletons.clip_shape}

    def read_eval(self, row: int, set_index: int, num_sets: int) -> dict[str, NDArray[Any]]:
        """Read the set's frames of the pictures and of the skeletons."""
        fraction = set_offset(set_index, num_sets)
        if self.test_offsets == "drawn":
            fraction = np.random.default_rng((row, set_index)).random()
        pictures = self._pictures(row, fraction)
        return {**pictures, SKELETONS: self.skeletons.read_eval(row, set_index, num_sets)}

    def eval_arrays(
        self, clips: dict[str, NDArray[Any]], *, mirrored: bool = False
    ) -> dict[str, NDArray[np.float32]]:
        """Return center crops of the pictures, and the skeletons, all mirrored or not: float32 by name."""
        arrays = {}
        for part in self.parts:
            read_BTHWC = clips[OTHER_SIDE[part] if mirrored else part]
            cropped_BTHWC = center_crop(read_BTHWC, crop_px=self.crop_px)
            shown_BTHWC = cropped_BTHWC[:, :, :, ::-1] if mirrored else cropped_BTHWC
            arrays[part] = normalize(shown_BTHWC, scale=self.pixel_scale)
        return {**arrays, SKELETONS: self.skeletons.eval_arrays(clips[SKELETONS], mirrored=mirrored)}

    def boxes(self, row: int, side_px: int) -> dict[str, Box]:
        """Return the box of every part of a clip, in pixels of stored pictures of this side."""
        picture = Picture(side_px, Box(*self.store.box_px(row)), self.store.video_size_px(row))
        hands = hand_joints(self.skeletons.layout)
        return part_boxes(self.store.skeleton(row), hands, picture, hand_size=self.hand_size)

    def _pictures(self, row: int, fraction: float) -> dict[str, NDArray[np.uint8]]:
        """Cut the parts out of frames at an offset: uint8 [T, H, W, C] by part."""
        if not self.parts:
            return {}
        num_kept = self.store.num_kept(row)
        positions = row_positions if self.sampling == "in-a-row" else segment_positions
        # A short clip repeats frames, which are decoded and cut once.
        unique, inverse_T = np.unique(positions(num_kept, self.num_frames, fraction), return_inverse=True)
        frames_THWC = self.store.frames(row, unique.tolist())
        boxes = self.boxes(row, frames_THWC.shape[1])
        read = {part: boxes[part] for own in self.parts for part in (own, OTHER_SIDE[own])}
        return {part: _cut(frames_THWC, box, self.resize_px)[inverse_T] for part, box in read.items()}


def _cut(frames_THWC: Iterable[NDArray[np.uint8]], box: Box, size_px: int) -> NDArray[np.uint8]:
    """Cut a box out of all frames and resize it to squares."""
    pictures = [np.asarray(crop_and_resize(frame_HWC, box, size_px)) for frame_HWC in frames_THWC]
    return np.stack([picture.reshape(size_px, size_px, -1) for picture in pictures])
