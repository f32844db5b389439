"""Synthetic clips, for measuring speeds without a prepared dataset.

Legend: M persons, T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton

_BLOTS, _GRAIN, _JPEG_QUALITY = 32, 6.0, 90
"""Blots along each side of a frame and the noise's deviation in gray levels, for JPEGs of a typical size."""
_NUM_FRAMES, _SIZE_PX = 80, 256
"""Frames and image size of the skeleton; NTU's clips have about 80 frames."""


@dataclass(frozen=True, slots=True)
class SyntheticClips:
    """Clips that share one JPEG frame, which is decoded like a real one, and one skeleton.

    Implements data.inputs.frames.FrameStore and data.inputs.skeletons.SkeletonStore.

    Attributes:
        label: int64 class of every clip.
        jpeg: the encoded frame.
        channels: C, 1 or 3.
        people: the skeleton.
    """

    label: NDArray[np.int64]
    jpeg: bytes
    channels: int
    people: Skeleton

    @classmethod
    def generate(
        cls, num_clips: int, *, num_classes: int, size_px: int, channels: int, layout: JointLayout
    ) -> SyntheticClips:
        """Generate clips of all classes in turn, with square frames and random joint positions."""
        random = np.random.default_rng(0)
        blots = random.integers(0, 256, (_BLOTS, _BLOTS, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(blots).resize((size_px, size_px), Image.Resampling.BICUBIC))
        noisy = (smooth + random.normal(0, _GRAIN, smooth.shape)).clip(0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        frame = Image.fromarray(noisy).convert(_mode(channels))
        frame.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
        people = _random_skeleton(layout, random)
        return cls(np.arange(num_clips) % num_classes, buffer.getvalue(), channels, people)

    @property
    def clips(self) -> SyntheticClips:
        """Table of the clips, which holds their classes."""
        return self

    def num_kept(self, row: int) -> int:  # noqa: ARG002
        """Return 1: the frame serves every position."""
        return 1

    def frames(
        self,
        row: int,  # noqa: ARG002
        positions: Sequence[int],
        *,
        size_px: int | None = None,
    ) -> NDArray[np.uint8]:
        """Decode the frame once per position: uint8 [T, H, W, C]."""
        return np.stack([self._decode(size_px) for _ in positions])

    def box_px(self, row: int) -> tuple[int, int, int, int]:  # noqa: ARG002
        """Return the whole image as the part that the frames show."""
        return (0, 0, _SIZE_PX, _SIZE_PX)

    def video_size_px(self, row: int) -> tuple[int, int]:  # noqa: ARG002
        """Return width and height of the image."""
        return (_SIZE_PX, _SIZE_PX)

    def skeleton(self, row: int) -> Skeleton:  # noqa: ARG002
        """Return the skeleton that all clips share."""
        return self.people

    def _decode(self, size_px: int | None) -> NDArray[np.uint8]:
        with Image.open(io.BytesIO(self.jpeg)) as image:
            decoded = image.resize((size_px, size_px)) if size_px else image
            return np.asarray(decoded.convert(_mode(self.channels))).reshape(*decoded.size, self.channels)


def _random_skeleton(layout: JointLayout, random: np.random.Generator) -> Skeleton:
    """Return one person with independent random positions in each frame, in a clip of typical length."""
    shape_MTV = (1, _NUM_FRAMES, layout.num_joints)
    joints_MTV3 = random.random((*shape_MTV, 3), dtype=np.float32)
    return Skeleton(
        joints_MTV3_m=np.full_like(joints_MTV3, np.nan) if layout.planar else joints_MTV3,
        pixels_MTV2=_SIZE_PX * joints_MTV3[..., :2],
        image_width_px=_SIZE_PX,
        image_height_px=_SIZE_PX,
        layout=layout.name,
        scores_MTV=random.random(shape_MTV, dtype=np.float32) if layout.planar else None,
    )


def _mode(channels: int) -> str:
    return "L" if channels == 1 else "RGB"
