"""Picture of a confusion matrix.

Legend: K classes, H W pixels. Assignments are one list of K superclasses per level, coarse to fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from autohier.records.tensorboard.drawing import (
    GAP_PX,
    INK,
    MAX_CACHED,
    PAPER,
    TEXT_PX,
    TITLE_PX,
    class_label,
    encode_png,
    load_font,
    superclass_order,
    superclass_runs,
    write_upwards,
)
from autohier.records.tensorboard.event_files import Picture

MAX_NAMED_CLASSES: Final = 30
"""Matrices with more classes have no class names on their axes, because they would overlap."""
_WIDTH_PX: Final = 700
_SCALE_PX: Final = 120
_BLUES: Final = ((247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
"""Colours from a share of 0 to 1, by ColorBrewer (Brewer, Harrower, "ColorBrewer.org", 2003)."""


def confusion_picture(
    confusion_KK: npt.NDArray[np.int64],
    assignments: Sequence[Sequence[int]],
    class_names: Sequence[str] = (),
) -> Picture:
    """Draw a confusion matrix, with classes ordered by superclass and frames around the coarsest level.

    Args:
        confusion_KK: ``[K, K]`` clips by true class (rows) and predicted class (columns); of the superclasses
            if the hierarchy is a level alone.
        assignments: those of the hierarchy; only the last one keeps the classes in their own order.
        class_names: one per class; numbers if empty.
    """
    if len(confusion_KK) < len(assignments[-1]):
        assignments, class_names = (range(len(confusion_KK)),), ()
    cells = np.ascontiguousarray(confusion_KK, dtype=np.int64).tobytes()
    return _draw_confusion(cells, tuple(map(tuple, assignments)), tuple(class_names))


@lru_cache(maxsize=MAX_CACHED)
def _draw_confusion(
    cells: bytes, assignments: tuple[tuple[int, ...], ...], class_names: tuple[str, ...]
) -> Picture:
    num_classes = len(assignments[-1])
    confusion_KK = np.frombuffer(cells, dtype=np.int64).reshape(num_classes, num_classes)
    order = superclass_order(assignments)
    shares_KK = _row_shares(confusion_KK)[np.ix_(order, order)]
    names = [class_label(k, class_names) for k in order] if len(order) <= MAX_NAMED_CLASSES else []
    font = load_font(TEXT_PX)
    # The names and the title of an axis are to the left of the cells, and below them.
    free_px = 3 * GAP_PX + TITLE_PX + int(max(map(font.getlength, names), default=0))
    cell_px = max(1, (_WIDTH_PX - free_px - _SCALE_PX) // len(order))
    side_px, top_px = cell_px * len(order), 2 * GAP_PX + TITLE_PX
    size_px = (free_px + side_px + _SCALE_PX, top_px + side_px + free_px)
    picture = Image.new("RGBA", size_px, PAPER)
    pen = ImageDraw.Draw(picture)
    matrix = Image.fromarray(_blues(shares_KK)).resize((side_px, side_px), Image.Resampling.NEAREST)
    picture.paste(matrix, (free_px, top_px))
    framed = superclass_runs(assignments[0], order) if len(assignments) > 1 else []
    for start, end, _ in [*framed, (0, len(order), 0)]:
        corner, far = start * cell_px, end * cell_px
        pen.rectangle((free_px + corner, top_px + corner, free_px + far, top_px + far), outline=INK)
    for place, name in enumerate(names):
        middle_px = place * cell_px + cell_px // 2
        pen.text((free_px - GAP_PX, top_px + middle_px), name, INK, font, anchor="rm")
        below = (free_px + middle_px, top_px + side_px + GAP_PX)
        write_upwards(picture, below, name, TEXT_PX, anchor="mt")
    title = "Validation confusion" + (", by superclass" if len(assignments) > 1 else "")
    for text, bottom_px in ((title, top_px), ("predicted class", picture.height)):
        place_px = (free_px + side_px // 2, bottom_px - GAP_PX)
        pen.text(place_px, text, INK, load_font(TITLE_PX), anchor="ms")
    write_upwards(picture, (GAP_PX, top_px + side_px // 2), "true class", TITLE_PX, anchor="lm")
    _draw_scale(picture, free_px + side_px + 3 * GAP_PX, top_px, side_px)
    return encode_png(picture)


def _row_shares(confusion_KK: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    clips_K1 = confusion_KK.sum(axis=1, keepdims=True)
    shares_KK: npt.NDArray[np.float64] = confusion_KK / np.maximum(clips_K1, 1)
    return shares_KK


def _blues(shares_HW: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    # Colors follow the square root, so that confusions of a few percent are visible.
    places = np.linspace(0.0, 1.0, len(_BLUES))
    parts = [np.interp(np.sqrt(shares_HW), places, part) for part in zip(*_BLUES, strict=True)]
    return np.stack(parts, axis=-1).round().astype(np.uint8)


def _draw_scale(picture: Image.Image, left_px: int, top_px: int, height_px: int) -> None:
    pen, width_px = ImageDraw.Draw(picture), 3 * GAP_PX
    roots_H = np.linspace(1.0, 0.0, height_px)  # square root of the share, per row of pixels
    picture.paste(Image.fromarray(_blues(roots_H[:, None] ** 2).repeat(width_px, axis=1)), (left_px, top_px))
    pen.rectangle((left_px, top_px, left_px + width_px, top_px + height_px), outline=INK)
    for share in (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0):
        middle_px = top_px + round(height_px * (1 - share**0.5))
        pen.line((left_px + width_px, middle_px, left_px + width_px + GAP_PX // 2, middle_px), INK)
        text = f"{share:.0%}"
        pen.text((left_px + width_px + GAP_PX, middle_px), text, INK, load_font(TEXT_PX), anchor="lm")
    label_px = left_px + width_px + 5 * GAP_PX
    label = "share of the true class's clips"
    write_upwards(picture, (label_px, top_px + height_px // 2), label, TITLE_PX, anchor="lm")
