"""A clip whose frames are files of one folder, numbered in their names.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.opening_videos import MAX_FRAME_PX
from autohier.errors import ClipError
from autohier.files import check_regular


def list_frames(folder: Path, pattern: re.Pattern[str], kind: str) -> list[Path]:
    """The files whose whole name matches, in the order of the numbers in their names.

    Args:
        folder: of the clip.
        pattern: its groups are the numbers; the first decides, so that frame 2 comes before frame 10.
        kind: what the files are, e.g. ``image``.

    Raises:
        ClipError: where the folder cannot be listed or holds none.
    """
    numbered = numbered_frames(folder, pattern)
    if not numbered:
        raise ClipError(f"a folder of frames must hold {kind} files")
    return [path for _, path in numbered]


def numbered_frames(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    """The same with the first number of each; none where no name matches.

    Raises:
        ClipError: where the folder cannot be listed.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise ClipError("a folder of frames must be readable", got=error) from error
    matches = [match for name in names if (match := pattern.fullmatch(name))]
    numbered = sorted((tuple(map(int, match.groups())), match.string) for match in matches)
    return [(numbers[0], folder / name) for numbers, name in numbered]


def read_images(paths: Sequence[Path], indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Decode the images at ascending indices, as RGB [H, W, 3] of 0..255.

    Raises:
        ClipError: where one of them is not there, cannot be decoded or is not as large as the first.
    """
    shape: tuple[int, ...] | None = None
    for index in indices:
        if not 0 <= index < len(paths):
            raise ClipError("every frame of a clip must decode", got=f"an end before frame {index}")
        frame_HWC = _read_image(paths[index])
        shape = shape or frame_HWC.shape
        if frame_HWC.shape != shape:
            raise ClipError(
                "the frames of a clip must be of one size",
                got=f"{_size(shape)} and {_size(frame_HWC.shape)}, in {paths[index].name}",
            )
        yield frame_HWC


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        check_regular(path)
        # Pillow warns of damaged notes on a camera, which change no pixel.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=("JPEG", "PNG")) as image:
            if math.prod(image.size) > MAX_FRAME_PX:
                raise ClipError(
                    f"a frame must have at most {MAX_FRAME_PX:,} pixels", got=f"{path.name}, {image.size}"
                )
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    # Pillow answers damage with any of these.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ClipError("every frame of a clip must decode", got=f"{path.name}: {error}") from error


def _size(shape_HWC: tuple[int, ...]) -> str:
    return f"{shape_HWC[1]}x{shape_HWC[0]}"
