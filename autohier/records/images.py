"""Pictures of a trial: its confusion matrix and its hierarchy.

Drawn with Pillow, in milliseconds: a trial whose stages are all found draws them for every stage.

Legend: K classes. Assignments are one list of K superclasses per headed stack, front to back.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

MOST_NAMED_CLASSES = 30
"""With more classes the axes of a confusion matrix carry no names: they would overlap."""

_WIDTH_PX, _HEIGHT_PX = 700, 640
_MATRIX_PX = 420
"""At most: every class has the same whole number of pixels."""
_LEFT_PX, _TOP_PX, _NAMES_PX = 165, 45, 140
_SCALE_LEFT_PX, _SCALE_PX = 610, 16
_SCALE_MARKS = (0.0, 0.05, 0.2, 0.5, 1.0)
_COLUMN_PX, _ROW_PX, _NAME_PX, _HEADER_PX, _GAP_PX = 130, 16, 220, 45, 8
_TEXT_PX, _TITLE_PX = 11, 14
_SHORT_NAME = 24
_BLUES = ((247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
"""From nothing to all, evenly spaced."""
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
# Pictures hold places in one table of 256 colours, which encodes five times as fast as colours do: greys from
# ink to paper, the colours of superclasses (hues, then their pale twins), blues.
_NUM_GREYS, _NUM_COLOURS, _NUM_BLUES = 32, 2 * len(_HUES), 204
_INK, _PAPER = 0, _NUM_GREYS - 1
_FIRST_COLOUR, _FIRST_BLUE = _NUM_GREYS, _NUM_GREYS + _NUM_COLOURS


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, encoded."""

    png: bytes
    width_px: int
    height_px: int


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
    order = superclass_order(assignments)
    cell_px = max(1, _MATRIX_PX // len(order))
    side_px = cell_px * len(order)
    sheet = _Sheet(max(_WIDTH_PX, _LEFT_PX + side_px), max(_HEIGHT_PX, _TOP_PX + side_px))
    cells_KK = _blue(_row_shares(confusion_KK)[np.ix_(order, order)])
    sheet.paste(cells_KK.repeat(cell_px, axis=0).repeat(cell_px, axis=1), _LEFT_PX, _TOP_PX)
    sheet.frame(_LEFT_PX, _TOP_PX, side_px, side_px)
    if len(assignments) > 1:
        for start, end, _ in _runs(assignments[0], order):
            corner_px, width_px = start * cell_px, (end - start) * cell_px
            sheet.frame(_LEFT_PX + corner_px, _TOP_PX + corner_px, width_px, width_px)
    names = [_class_name(k, class_names) for k in order] if len(order) <= MOST_NAMED_CLASSES else []
    for row, name in enumerate(names):
        middle_px = row * cell_px + cell_px // 2
        sheet.text(_LEFT_PX - 4, _TOP_PX + middle_px, name, "r")
        sheet.upright(_LEFT_PX + middle_px, _TOP_PX + side_px + 4, name, below=True)
    middle_px, margin_px = side_px // 2, 15 + (_NAMES_PX if names else 0)
    sheet.upright(_LEFT_PX - margin_px, _TOP_PX + middle_px, "true class")
    sheet.text(_LEFT_PX + middle_px, _TOP_PX + side_px + margin_px, "predicted class", "m")
    title = "Validation confusion" + (", by superclass" if len(assignments) > 1 else "")
    sheet.text(_LEFT_PX + middle_px, _TOP_PX // 2, title, "m", _TITLE_PX)
    _draw_scale(sheet)
    return sheet.encode()


def hierarchy_picture(assignments: Sequence[Sequence[int]], class_names: Sequence[str] = ()) -> Picture:
    """Draw a hierarchy: a row per class, a column per headed stack, superclasses as coloured blocks.

    Where levels do not nest, a superclass is drawn in several blocks of one number and colour.

    Args:
        assignments: the hierarchy's, front to back; the last column holds the classes.
        class_names: one per class; numbers stand in where there are none.
    """
    order = superclass_order(assignments)
    *levels, classes = assignments
    names_px = _COLUMN_PX * len(levels)
    sheet = _Sheet(names_px + _NAME_PX, _HEADER_PX + _ROW_PX * len(order) + _GAP_PX)
    for column, level in enumerate(levels):
        left_px, width_px = column * _COLUMN_PX, _COLUMN_PX - _GAP_PX
        sheet.text(left_px + width_px // 2, 14, f"stack {column + 1}", "m")
        sheet.text(left_px + width_px // 2, 30, f"{len(set(level))} superclasses", "m")
        for start, end, superclass in _runs(level, order):
            top_px, height_px = _HEADER_PX + start * _ROW_PX, (end - start) * _ROW_PX
            sheet.frame(left_px, top_px, width_px, height_px, fill=_colour(superclass))
            sheet.text(left_px + width_px // 2, top_px + height_px // 2, str(superclass), "m")
    sheet.text(names_px + _GAP_PX, 14, f"stack {len(assignments)}", "l")
    sheet.text(names_px + _GAP_PX, 30, f"{len(classes)} classes", "l")
    for row, k in enumerate(order):
        middle_px = _HEADER_PX + row * _ROW_PX + _ROW_PX // 2
        sheet.text(names_px + _GAP_PX, middle_px, _class_name(k, class_names), "l")
    return sheet.encode()


class _Sheet:
    """Paper; places on it are pixels from its upper left corner, colours are places in the table."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._image = Image.new("P", (width_px, height_px), _PAPER)
        self._image.putpalette(_palette())
        self._draw = ImageDraw.Draw(self._image)

    def paste(self, colours_HW: npt.NDArray[np.uint8], x: int, y: int) -> None:
        height, width = colours_HW.shape
        self._image.paste(Image.frombytes("P", (width, height), colours_HW.tobytes()), (x, y))

    def frame(self, x: int, y: int, width: int, height: int, fill: int | None = None) -> None:
        self._draw.rectangle((x, y, x + width - 1, y + height - 1), fill=fill, outline=_INK)

    def text(self, x: int, y: int, text: str, anchor: str, size_px: int = _TEXT_PX) -> None:
        """A line at a height of y that ends ("r") or begins ("l") at x, or has its middle ("m") there."""
        line, mask = _line(text, size_px)
        left = {"l": x, "m": x - line.width // 2, "r": x - line.width}[anchor]
        self._image.paste(line, (left, y - line.height // 2), mask)

    def upright(self, x: int, y: int, text: str, *, below: bool = False) -> None:
        """A line around x that runs upwards: its middle at y, or all of it below."""
        line, mask = _line(text, _TEXT_PX, upright=True)
        self._image.paste(line, (x - line.width // 2, y if below else y - line.height // 2), mask)

    def encode(self) -> Picture:
        buffer = io.BytesIO()
        self._image.save(buffer, format="png")
        return Picture(buffer.getvalue(), *self._image.size)


@lru_cache(maxsize=1024)
def _line(text: str, size_px: int, *, upright: bool = False) -> tuple[Image.Image, Image.Image]:
    """A line of text in greys of the table, and where its ink is; pictures repeat the classes' names."""
    font = ImageFont.load_default(size_px)
    line = Image.new("L", (round(font.getlength(text)) + 1, size_px + 4), 255)
    ImageDraw.Draw(line).text((0, line.height / 2), text, fill=0, font=font, anchor="lm")
    line = line.transpose(Image.Transpose.ROTATE_90) if upright else line
    greys = line.point([grey * _NUM_GREYS // 256 for grey in range(256)])
    return greys, greys.point([255 * (grey < _PAPER) for grey in range(256)])


def _draw_scale(sheet: _Sheet) -> None:
    shares_H1 = np.linspace(1.0, 0.0, _MATRIX_PX)[:, None] ** 2
    sheet.paste(_blue(shares_H1).repeat(_SCALE_PX, axis=1), _SCALE_LEFT_PX, _TOP_PX)
    sheet.frame(_SCALE_LEFT_PX, _TOP_PX, _SCALE_PX, _MATRIX_PX)
    for share in _SCALE_MARKS:
        y = _TOP_PX + round((1 - share**0.5) * _MATRIX_PX)
        sheet.text(_SCALE_LEFT_PX + _SCALE_PX + 5, y, f"{share:g}", "l")
    sheet.upright(_WIDTH_PX - 20, _TOP_PX + _MATRIX_PX // 2, "share of the true class's clips")


def _blue(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    # By the square root: what is confused are a few hundredths, and they are what the picture is for.
    places: npt.NDArray[np.float64] = _FIRST_BLUE + np.rint(np.sqrt(shares) * (_NUM_BLUES - 1))
    return places.astype(np.uint8)


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


def _colour(superclass: int) -> int:
    return _FIRST_COLOUR + superclass % _NUM_COLOURS


@cache
def _palette() -> bytes:
    greys = np.linspace(40, 255, _NUM_GREYS)[:, None].repeat(3, axis=1)
    # All so pale that black numbers read well on them.
    colours = [(np.array(hue) + 255 * paper) / (1 + paper) for paper in (1, 2) for hue in _HUES]
    stops, places = np.linspace(0, 1, len(_BLUES)), np.linspace(0, 1, _NUM_BLUES)
    blues = np.stack([np.interp(places, stops, channel) for channel in zip(*_BLUES, strict=True)], axis=1)
    return np.concatenate([greys, colours, blues]).astype(np.uint8).tobytes()


def _class_name(k: int, class_names: Sequence[str]) -> str:
    name = class_names[k] if class_names else f"class {k}"
    return name if len(name) <= _SHORT_NAME else name[: _SHORT_NAME - 1] + "…"
