"""Reading of clips as images, for video recognizers.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.stores import FrameStore
from autohier.data.transforms.arrays.frames import center_crop, normalize
from autohier.data.transforms.constants import PixelScale
from autohier.data.transforms.sampling import segment_positions, set_offset


@dataclass(frozen=True, slots=True)
class FrameReading:
    """One frame per segment. Implements `ClipReading`; clips are bytes until they are normalized."""

    frees_interpreter: ClassVar[bool] = True

    store: FrameStore
    channels: int
    num_frames: int
    resize_px: int | None
    """Side of decoded frames; None for the stored side."""
    crop_px: int
    test_offsets: Literal["fixed", "drawn"] = "fixed"
    """Place of an evaluation set's frames: the same for all clips, or sampled for every clip and set."""
    pixel_scale: PixelScale = "statistics"
    """Scale of normalized pixels."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.store.clips.label

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[C, T, H, W]."""
        return (self.channels, self.num_frames, self.crop_px, self.crop_px)

    def read_eval(self, row: int, set_index: int, num_sets: int) -> NDArray[np.uint8]:
        """Decode uint8 [T, H, W, C] at the set's offset."""
        if self.test_offsets == "fixed":
            return self._decode(row, set_offset(set_index, num_sets))
        return self._decode(row, np.random.default_rng((row, set_index)).random())

    def eval_arrays(self, clips: NDArray[np.uint8], *, mirrored: bool = False) -> NDArray[np.float32]:
        """Return center crops: float32 [B, C, T, H, W]."""
        cropped_BTHWC = center_crop(clips, crop_px=self.crop_px)
        shown_BTHWC = cropped_BTHWC[:, :, :, ::-1] if mirrored else cropped_BTHWC
        return normalize(shown_BTHWC, scale=self.pixel_scale)

    def _decode(self, row: int, offset: float) -> NDArray[np.uint8]:
        positions = segment_positions(self.store.num_kept(row), self.num_frames, offset)
        return self.store.frames(row, positions.tolist(), size_px=self.resize_px)
