"""Picture of a hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw

from autohier.records.tensorboard.drawing import (
    GAP_PX,
    INK,
    MAX_CACHED,
    PAPER,
    TEXT_PX,
    class_label,
    encode_png,
    load_font,
    superclass_order,
    superclass_runs,
)
from autohier.records.tensorboard.event_files import Picture

_COLUMN_PX, _ROW_PX, _NAME_PX, _HEADER_PX = 160, 16, 220, 44
_HUES: Final = (
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


def hierarchy_picture(assignments: Sequence[Sequence[int]], class_names: Sequence[str] = ()) -> Picture:
    """Draw a hierarchy: a row per class, a column per level, superclasses as colored blocks.

    If levels do not nest, a superclass has several blocks with the same number and color.

    Args:
        assignments: superclasses of all classes, one list per level, coarse to fine; the last column
            holds the classes.
        class_names: one per class; numbers if empty.
    """
    return _draw_hierarchy(tuple(map(tuple, assignments)), tuple(class_names))


@lru_cache(maxsize=MAX_CACHED)
def _draw_hierarchy(assignments: tuple[tuple[int, ...], ...], class_names: tuple[str, ...]) -> Picture:
    order = superclass_order(assignments)
    *levels, classes = assignments
    width_px = _COLUMN_PX * max(len(levels), 1) + _NAME_PX
    picture = Image.new("RGBA", (width_px, _ROW_PX * len(order) + _HEADER_PX + GAP_PX), PAPER)
    pen, font = ImageDraw.Draw(picture), load_font(TEXT_PX)
    for column, level in enumerate(levels):
        left_px, right_px = column * _COLUMN_PX + GAP_PX, (column + 1) * _COLUMN_PX - GAP_PX
        for start, end, superclass in superclass_runs(level, order):
            top_px, bottom_px = _HEADER_PX + start * _ROW_PX, _HEADER_PX + end * _ROW_PX
            pen.rectangle((left_px, top_px, right_px, bottom_px), _colour(superclass), INK)
            middle = ((left_px + right_px) // 2, (top_px + bottom_px) // 2)
            pen.text(middle, str(superclass + 1), "black", font, anchor="mm")
    names_px = len(levels) * _COLUMN_PX + GAP_PX
    for row, k in enumerate(order):
        middle = (names_px, _HEADER_PX + row * _ROW_PX + _ROW_PX // 2)
        pen.text(middle, class_label(k, class_names), INK, font, anchor="lm")
    headers = [f"level {n}\n{len(set(level))} superclasses" for n, level in enumerate(levels, start=1)]
    headers.append(f"level {len(assignments)}\n{len(classes)} classes")
    for column, header in enumerate(headers):
        pen.text((column * _COLUMN_PX + GAP_PX, GAP_PX), header, "black", load_font(TEXT_PX + 2))
    return encode_png(picture)


def _colour(superclass: int) -> tuple[int, ...]:
    # Ten hues, then paler ones; all so pale that black numbers are legible on them.
    is_paler, hue = divmod(superclass % 20, 10)
    return tuple(round(255 - (255 - part) / (4 if is_paler else 2)) for part in _HUES[hue])
