"""Orientations of frames: files store pictures as the sensor read them, and say how to turn them for display.

A display is one of eight: axes swapped or not, columns mirrored or not, rows mirrored or not.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MATRIX_BYTES: Final = 36


@dataclass(frozen=True, slots=True)
class Orientation:
    """Change from the stored to the shown picture: first the swap of the axes, then the mirrors.

    Attributes:
        swaps_axes: True if stored rows are shown as columns.
        mirrors_columns: True if left and right are exchanged.
        mirrors_rows: True if top and bottom are exchanged.
    """

    swaps_axes: bool = False
    mirrors_columns: bool = False
    mirrors_rows: bool = False

    def apply(self, frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the shown picture of a stored one; contiguous, and the same array if nothing changes."""
        shown_HWC = frame_HWC.swapaxes(0, 1) if self.swaps_axes else frame_HWC
        if self.mirrors_columns:
            shown_HWC = shown_HWC[:, ::-1]
        if self.mirrors_rows:
            shown_HWC = shown_HWC[::-1]
        return np.ascontiguousarray(shown_HWC)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height of the shown picture."""
        return (height, width) if self.swaps_axes else (width, height)


UPRIGHT: Final = Orientation()

# Values of the EXIF tag Orientation: the place of the stored first row and first column in the shown picture.
_EXIF: Final = {
    2: Orientation(mirrors_columns=True),
    3: Orientation(mirrors_columns=True, mirrors_rows=True),
    4: Orientation(mirrors_rows=True),
    5: Orientation(swaps_axes=True),
    6: Orientation(swaps_axes=True, mirrors_columns=True),
    7: Orientation(swaps_axes=True, mirrors_columns=True, mirrors_rows=True),
    8: Orientation(swaps_axes=True, mirrors_rows=True),
}


def exif_orientation(value: object) -> Orientation:
    """Return the orientation that a value of the EXIF tag means; upright for a value without a meaning."""
    return _EXIF.get(value, UPRIGHT) if isinstance(value, int) else UPRIGHT


def matrix_orientation(matrix: bytes) -> Orientation:
    """Return the orientation that is nearest to a display matrix, as FFmpeg stores it.

    The matrix maps the stored column x and row y to the shown column ``a x + c y`` and row ``b x + d y``.
    Scale, translation and small angles are ignored. The angle that FFmpeg derives from a matrix is not used,
    because it is the same for a rotation and for its mirror image.

    Args:
        matrix: nine int32 in this machine's order, by rows: a, b, u, c, d, v, x, y, w.
    """
    if len(matrix) != _MATRIX_BYTES:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(matrix, dtype=np.int32).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirrors_columns=a < 0, mirrors_rows=d < 0)
    return Orientation(swaps_axes=True, mirrors_columns=c < 0, mirrors_rows=b < 0)
