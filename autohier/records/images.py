"""Pictures of a trial: its confusion matrix and its hierarchy.

Legend: K classes. Assignments are one list of K superclasses per headed stack, front to back.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from autohier.records.event_files import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED_CLASSES = 30
"""With more classes the axes of a confusion matrix carry no names: they would overlap."""

_DOTS_PER_INCH = 100
_CONFUSION_SIDE_IN = 7.0
_COLUMN_IN = 1.6
_ROW_IN = 0.16
_NAME_IN = 2.2
_SHORT_NAME = 24
_MOST_KEPT = 128
"""Pictures that a process remembers, of some 20 kB each."""


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
    figure = Figure((_CONFUSION_SIDE_IN, _CONFUSION_SIDE_IN), _DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    # By the square root: what is confused are a few hundredths, and they are what the picture is for.
    image = axes.imshow(shares_KK, cmap="Blues", norm=PowerNorm(0.5, 0.0, 1.0), interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class's clips")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title("Validation confusion" + (", by superclass" if len(assignments) > 1 else ""))
    if len(assignments) > 1:
        for start, end, _ in _runs(assignments[0], order):
            axes.add_patch(_frame(start - 0.5, start - 0.5, end - start, end - start))
    _name_axes(axes, [_class_name(k, class_names) for k in order])
    return _encode(figure)


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
    size = (_COLUMN_IN * max(len(levels), 1) + _NAME_IN, _ROW_IN * len(order) + 1.0)
    figure = Figure(size, _DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for column, level in enumerate(levels):
        for start, end, superclass in _runs(level, order):
            axes.add_patch(_frame(column, start, 0.92, end - start, face=_colour(superclass)))
            axes.text(column + 0.46, (start + end) / 2, str(superclass), ha="center", va="center", size=7)
    for row, k in enumerate(order):
        axes.text(len(levels) + 0.05, row + 0.5, _class_name(k, class_names), va="center", size=7)
    headers = [f"stack {n}\n{len(set(level))} superclasses" for n, level in enumerate(levels, start=1)]
    headers.append(f"stack {len(assignments)}\n{len(classes)} classes")
    axes.set_xticks([column + 0.46 for column in range(len(headers))], headers, size=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.set_xlim(0, len(levels) + _NAME_IN / _COLUMN_IN)
    axes.set_ylim(len(order), 0)
    axes.spines[:].set_visible(False)
    return _encode(figure)


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


def _frame(
    x: float, y: float, width: float, height: float, *, face: tuple[float, ...] | str = "none"
) -> Rectangle:
    return Rectangle((x, y), width, height, facecolor=face, edgecolor="0.25", linewidth=0.8)


def _colour(superclass: int) -> tuple[float, ...]:
    # Ten hues, then their pale twins; halfway to white, so that black numbers read well on all of them.
    twin, hue = divmod(superclass % 20, 10)
    return tuple((1 + part) / 2 for part in colormaps["tab20"](2 * hue + twin)[:3])


def _name_axes(axes: Axes, names: Sequence[str]) -> None:
    if len(names) > MOST_NAMED_CLASSES:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    axes.set_xticks(range(len(names)), names, rotation=90, size=7)
    axes.set_yticks(range(len(names)), names, size=7)


def _class_name(k: int, class_names: Sequence[str]) -> str:
    name = class_names[k] if class_names else f"class {k}"
    return name if len(name) <= _SHORT_NAME else name[: _SHORT_NAME - 1] + "…"


def _encode(figure: Figure) -> Picture:
    canvas = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    width_px, height_px = canvas.get_width_height()
    return Picture(buffer.getvalue(), width_px, height_px)
