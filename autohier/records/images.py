"""Pictures of a trial: its confusion matrix and its hierarchy.

They are drawn with Pillow, as trials that find their stages do little else: Matplotlib takes a fifth of a
second for each, a hundred times as long, and half a second to load.

Legend: K classes, H W pixels. Assignments are one list of K superclasses per headed stack, front to back.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from autohier.records.event_files import Picture

MOST_NAMED_CLASSES = 30
"""With more classes the axes of a confusion matrix carry no names: they would overlap."""

_CONFUSION_PX, _SCALE_PX = 700, 120
_COLUMN_PX, _ROW_PX, _NAME_PX, _HEADER_PX = 160, 16, 220, 44
_GAP_PX = 8
_TEXT_PX, _TITLE_PX = 10, 15
_INK, _PAPER = (64, 64, 64), (255, 255, 255)
_BLUES = ((247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
"""From nothing to all, by ColorBrewer (Brewer, Harrower, "ColorBrewer.org", 2003)."""
_HUES = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
)
_SHORT_NAME = 24
_MOST_KEPT = 128
"""Pictures that a process remembers, of some 30 kB each."""


def superclass_order(assignments: Sequence[Sequence[int]]) -> list[int]:
    """The classes, those of one superclass side by side: sorted by superclass, coarsest level first."""
    return sorted(range(len(assignments[-1])), key=lambda k: tuple(level[k] for level in assignments))


def confusion_picture(
    confusion_KK: npt.NDArray[np.int64],
    assignments: Sequence[Sequence[int]],
    class_names: Sequence[str] = (),
) -> Picture:
    """Draw a confusion matrix, its classes ordered by superclass and framed by the coarsest level.

    Args:
        confusion_KK: ``[K, K]`` clips by true class (rows) and predicted class (columns).
        assignments: the hierarchy's; the last one alone draws the classes in their own order.
        class_names: one per class; numbers stand in where there are none.
    """
    cells = np.ascontiguousarray(confusion_KK, dtype=np.int64).tobytes()
    return _draw_confusion(cells, tuple(map(tuple, assignments)), tuple(class_names))


# Trials that share a stage share its pictures, and a process runs many of them.
@lru_cache(maxsize=_MOST_KEPT)
def _draw_confusion(
    cells: bytes, assignments: tuple[tuple[int, ...], ...], class_names: tuple[str, ...]
) -> Picture:
    num_classes = len(assignments[-1])
    confusion_KK = np.frombuffer(cells, dtype=np.int64).reshape(num_classes, num_classes)
    order = superclass_order(assignments)
    shares_KK = _row_shares(confusion_KK)[np.ix_(order, order)]
    names = [_class_name(k, class_names) for k in order] if len(order) <= MOST_NAMED_CLASSES else []
    font = _font(_TEXT_PX)
    # Left of the cells and below them stand the names and the axis' own title.
    free_px = 3 * _GAP_PX + _TITLE_PX + int(max(map(font.getlength, names), default=0))
    cell_px = max(1, (_CONFUSION_PX - free_px - _SCALE_PX) // len(order))
    side_px, top_px = cell_px * len(order), 2 * _GAP_PX + _TITLE_PX
    size_px = (free_px + side_px + _SCALE_PX, top_px + side_px + free_px)
    picture = Image.new("RGBA", size_px, _PAPER)
    pen = ImageDraw.Draw(picture)
    matrix = Image.fromarray(_blues(shares_KK)).resize((side_px, side_px), Image.Resampling.NEAREST)
    picture.paste(matrix, (free_px, top_px))
    framed = _runs(assignments[0], order) if len(assignments) > 1 else []
    for start, end, _ in [*framed, (0, len(order), 0)]:
        corner, far = start * cell_px, end * cell_px
        pen.rectangle((free_px + corner, top_px + corner, free_px + far, top_px + far), outline=_INK)
    for place, name in enumerate(names):
        middle_px = place * cell_px + cell_px // 2
        pen.text((free_px - _GAP_PX, top_px + middle_px), name, _INK, font, anchor="rm")
        below = (free_px + middle_px, top_px + side_px + _GAP_PX)
        _write_upwards(picture, below, name, _TEXT_PX, anchor="mt")
    title = "Validation confusion" + (", by superclass" if len(assignments) > 1 else "")
    for text, bottom_px in ((title, top_px), ("predicted class", picture.height)):
        place_px = (free_px + side_px // 2, bottom_px - _GAP_PX)
        pen.text(place_px, text, _INK, _font(_TITLE_PX), anchor="ms")
    _write_upwards(picture, (_GAP_PX, top_px + side_px // 2), "true class", _TITLE_PX, anchor="lm")
    _draw_scale(picture, free_px + side_px + 3 * _GAP_PX, top_px, side_px)
    return _encode(picture)


def hierarchy_picture(assignments: Sequence[Sequence[int]], class_names: Sequence[str] = ()) -> Picture:
    """Draw a hierarchy: a row per class, a column per headed stack, superclasses as coloured blocks.

    Where levels do not nest, a superclass is drawn in several blocks of one number and colour.

    Args:
        assignments: the hierarchy's, front to back; the last column holds the classes.
        class_names: one per class; numbers stand in where there are none.
    """
    return _draw_hierarchy(tuple(map(tuple, assignments)), tuple(class_names))


@lru_cache(maxsize=_MOST_KEPT)
def _draw_hierarchy(assignments: tuple[tuple[int, ...], ...], class_names: tuple[str, ...]) -> Picture:
    order = superclass_order(assignments)
    *levels, classes = assignments
    width_px = _COLUMN_PX * max(len(levels), 1) + _NAME_PX
    picture = Image.new("RGBA", (width_px, _ROW_PX * len(order) + _HEADER_PX + _GAP_PX), _PAPER)
    pen, font = ImageDraw.Draw(picture), _font(_TEXT_PX)
    for column, level in enumerate(levels):
        left_px, right_px = column * _COLUMN_PX + _GAP_PX, (column + 1) * _COLUMN_PX - _GAP_PX
        for start, end, superclass in _runs(level, order):
            top_px, bottom_px = _HEADER_PX + start * _ROW_PX, _HEADER_PX + end * _ROW_PX
            pen.rectangle((left_px, top_px, right_px, bottom_px), _colour(superclass), _INK)
            middle = ((left_px + right_px) // 2, (top_px + bottom_px) // 2)
            pen.text(middle, str(superclass), "black", font, anchor="mm")
    names_px = len(levels) * _COLUMN_PX + _GAP_PX
    for row, k in enumerate(order):
        middle = (names_px, _HEADER_PX + row * _ROW_PX + _ROW_PX // 2)
        pen.text(middle, _class_name(k, class_names), _INK, font, anchor="lm")
    headers = [f"stack {n}\n{len(set(level))} superclasses" for n, level in enumerate(levels, start=1)]
    headers.append(f"stack {len(assignments)}\n{len(classes)} classes")
    for column, header in enumerate(headers):
        pen.text((column * _COLUMN_PX + _GAP_PX, _GAP_PX), header, "black", _font(_TEXT_PX + 2))
    return _encode(picture)


def _row_shares(confusion_KK: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    clips_K1 = confusion_KK.sum(axis=1, keepdims=True)
    shares_KK: npt.NDArray[np.float64] = confusion_KK / np.maximum(clips_K1, 1)
    return shares_KK


def _runs(level: Sequence[int], order: Sequence[int]) -> list[tuple[int, int, int]]:
    # (first row, row after the last, superclass) of every stretch of rows in one superclass.
    runs, start = [], 0
    for superclass, members in groupby(level[k] for k in order):
        end = start + len(list(members))
        runs.append((start, end, superclass))
        start = end
    return runs


def _blues(shares_HW: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    # By the square root: what is confused are a few hundredths, and they are what the picture is for.
    places = np.linspace(0.0, 1.0, len(_BLUES))
    parts = [np.interp(np.sqrt(shares_HW), places, part) for part in zip(*_BLUES, strict=True)]
    return np.stack(parts, axis=-1).round().astype(np.uint8)


def _draw_scale(picture: Image.Image, left_px: int, top_px: int, height_px: int) -> None:
    pen, width_px = ImageDraw.Draw(picture), 3 * _GAP_PX
    roots_H = np.linspace(1.0, 0.0, height_px)  # a share for every line of pixels, as dense as their roots
    picture.paste(Image.fromarray(_blues(roots_H[:, None] ** 2).repeat(width_px, axis=1)), (left_px, top_px))
    pen.rectangle((left_px, top_px, left_px + width_px, top_px + height_px), outline=_INK)
    for share in (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0):
        middle_px = top_px + round(height_px * (1 - share**0.5))
        pen.line((left_px + width_px, middle_px, left_px + width_px + _GAP_PX // 2, middle_px), _INK)
        text = f"{share:.0%}"
        pen.text((left_px + width_px + _GAP_PX, middle_px), text, _INK, _font(_TEXT_PX), anchor="lm")
    label_px = left_px + width_px + 5 * _GAP_PX
    label = "share of the true class's clips"
    _write_upwards(picture, (label_px, top_px + height_px // 2), label, _TITLE_PX, anchor="lm")


def _write_upwards(
    picture: Image.Image, place: tuple[int, int], text: str, size_px: int, *, anchor: str
) -> None:
    # The anchor is that of the turned text: "m" or "l" (its left), then "m" or "t" (its top).
    font = _font(size_px)
    left, top, right, bottom = font.getbbox(text)
    ink = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(ink).text((-left, -top), text, 255, font)
    ink = ink.transpose(Image.Transpose.ROTATE_90)
    x_px = place[0] - (ink.width // 2 if anchor[0] == "m" else 0)
    y_px = place[1] - (ink.height // 2 if anchor[1] == "m" else 0)
    picture.paste(Image.new("RGBA", ink.size, _INK), (x_px, y_px), ink)


def _colour(superclass: int) -> tuple[int, ...]:
    # Ten hues, then their pale twins; all so pale that black numbers read well on them.
    twin, hue = divmod(superclass % 20, 10)
    return tuple(round(255 - (255 - part) / (4 if twin else 2)) for part in _HUES[hue])


def _class_name(k: int, class_names: Sequence[str]) -> str:
    name = class_names[k] if class_names else f"class {k}"
    return name if len(name) <= _SHORT_NAME else name[: _SHORT_NAME - 1] + "…"


@lru_cache(maxsize=4)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _encode(picture: Image.Image) -> Picture:
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return Picture(buffer.getvalue(), picture.width, picture.height)
