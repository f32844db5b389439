"""Drawing with Pillow, shared by the pictures of a trial.

Pillow draws them, because trials whose stages are all reused do little else: Matplotlib takes 0.2 s per
picture, a hundred times as long, and 0.5 s to import.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from autohier.records.tensorboard.event_files import Picture

GAP_PX: Final = 8
TEXT_PX: Final = 10
TITLE_PX: Final = 15
INK: Final = (64, 64, 64)
PAPER: Final = (255, 255, 255)
MAX_CACHED: Final = 128
"""Number of pictures that a process caches, 30 kB each: trials that share a stage share its pictures."""
_SHORT_NAME: Final = 24


def superclass_order(assignments: Sequence[Sequence[int]]) -> list[int]:
    """Return the classes sorted by superclass, coarsest level first, so that superclasses are contiguous."""
    return sorted(range(len(assignments[-1])), key=lambda k: tuple(level[k] for level in assignments))


def superclass_runs(level: Sequence[int], order: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (first row, row after the last, superclass) of every run of rows in one superclass."""
    runs, start = [], 0
    for superclass, members in groupby(level[k] for k in order):
        end = start + len(list(members))
        runs.append((start, end, superclass))
        start = end
    return runs


def write_upwards(
    picture: Image.Image, place: tuple[int, int], text: str, size_px: int, *, anchor: str
) -> None:
    """Write rotated text; the anchor is that of the rotated text: m or l (left), then m or t (top)."""
    font = load_font(size_px)
    left, top, right, bottom = font.getbbox(text)
    ink = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(ink).text((-left, -top), text, 255, font)
    ink = ink.transpose(Image.Transpose.ROTATE_90)
    x_px = place[0] - (ink.width // 2 if anchor[0] == "m" else 0)
    y_px = place[1] - (ink.height // 2 if anchor[1] == "m" else 0)
    picture.paste(Image.new("RGBA", ink.size, INK), (x_px, y_px), ink)


def class_label(k: int, class_names: Sequence[str]) -> str:
    """Return the name of a class, shortened; its number if there are no names."""
    name = class_names[k] if class_names else f"class {k}"
    return name if len(name) <= _SHORT_NAME else name[: _SHORT_NAME - 1] + "…"


@lru_cache(maxsize=4)
def load_font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the default font in a size."""
    return ImageFont.load_default(size_px)


def encode_png(picture: Image.Image) -> Picture:
    """Return an image as a PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return Picture(buffer.getvalue(), picture.width, picture.height)
