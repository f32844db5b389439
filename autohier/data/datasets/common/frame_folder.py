"""Clips whose frames are the files of one folder, numbered in their names.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.video.container import MAX_FRAME_PX
from autohier.data.video.orientation import exif_orientation
from autohier.errors import ClipError
from autohier.files import check_regular

_ORIENTATION: Final = 0x0112


def list_frames(folder: Path, pattern: re.Pattern[str], kind: str) -> list[Path]:
    """Return the files whose whole name matches, in the order of the numbers in their names.

    Args:
        folder: folder of the clip.
        pattern: its groups are the numbers, in order of precedence.
        kind: kind of the files in messages, e.g. ``image``.

    Raises:
        ClipError: if the folder cannot be listed or contains none.
    """
    numbered = numbered_frames(folder, pattern)
    if not numbered:
        raise ClipError(f"a folder of frames must contain {kind} files")
    return [path for _, path in numbered]


def numbered_frames(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    """Return the first number and the path of each matching file, in order; empty if none matches.

    Raises:
        ClipError: if the folder cannot be listed.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise ClipError("a folder of frames must be readable", got=error) from error
    matches = [match for name in names if (match := pattern.fullmatch(name))]
    numbered = sorted((tuple(map(int, match.groups())), match.string) for match in matches)
    return [(numbers[0], folder / name) for numbers, name in numbered]


def read_images(paths: Sequence[Path], indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Decode the images at ascending indices, as RGB [H, W, 3] of 0..255, turned as their EXIF data says.

    Raises:
        ClipError: if one of them is missing, cannot be decoded or differs from the first in size.
    """
    shape: tuple[int, ...] | None = None
    for index in indices:
        if not 0 <= index < len(paths):
            raise ClipError("every frame of a clip must decode", got=f"an end before frame {index}")
        frame_HWC = _read_image(paths[index])
        shape = shape or frame_HWC.shape
        if frame_HWC.shape != shape:
            raise ClipError(
                "the frames of a clip must have one size",
                got=f"{_size(shape)} and {_size(frame_HWC.shape)}, in {paths[index].name}",
            )
        yield frame_HWC


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        check_regular(path)
        # Pillow warns about damaged EXIF data, which changes no pixel.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=("JPEG", "PNG")) as image:
            if math.prod(image.size) > MAX_FRAME_PX:
                raise ClipError(
                    f"a frame must have at most {MAX_FRAME_PX:,} pixels", got=f"{path.name}, {image.size}"
                )
            orientation = exif_orientation(_read_exif(image))
            return orientation.apply(np.asarray(image if image.mode == "RGB" else image.convert("RGB")))
    # Pillow raises any of these on damaged files.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ClipError("every frame of a clip must decode", got=f"{path.name}: {error}") from error


def _read_exif(image: Image.Image) -> object:
    """Return the value of the tag Orientation; None if the image has none, or its EXIF data are damaged."""
    try:
        return image.getexif().get(_ORIENTATION)
    # Damaged EXIF data say nothing about the orientation; Pillow raises any of these on them.
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, EOFError, struct.error):
        return None


def _size(shape_HWC: tuple[int, ...]) -> str:
    return f"{shape_HWC[1]}x{shape_HWC[0]}"
