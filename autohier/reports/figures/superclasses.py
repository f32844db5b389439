"""Figures of superclasses: the hierarchy of all levels, and the classes of each superclass of one level.

They correspond to HAC's figures 3 and 4. Levels need not nest; classes are ordered by the coarsest one first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from autohier.records.tensorboard.drawing import superclass_order, superclass_runs
from autohier.reports.figures.fonts import drawable, installed_fonts, text_width_in
from autohier.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_IN: Final = 7.0
"""Width of a page's text."""
_ROW_IN: Final = 0.135
_TEXT_POINTS: Final = 7.5
_MAX_ROWS: Final = 62
"""Classes in one panel of the hierarchy, which fills a page."""
_NAME_IN: Final = 1.5
"""Width of a line in a box; longer names are wrapped."""
_LEVEL_IN: Final = 0.55
_HEADER_IN: Final = 0.25
_GAP_IN: Final = 0.1
_INK: Final = "0.25"


def draw_hierarchy(assignments: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Return a hierarchy: a row for each class, and for each level a column of its superclasses.

    A superclass of a level that does not nest has several blocks, of one number and colour. Classes that fill
    more than a page stand in several panels.

    Args:
        assignments: superclass of each class, for each level, coarse to fine; the last are the classes.
        names: one for each class.
    """
    order = superclass_order(assignments)
    num_panels = math.ceil(len(order) / _MAX_ROWS)
    num_rows = math.ceil(len(order) / num_panels)
    num_levels = len(assignments) - 1
    panel_in = num_levels * _LEVEL_IN + _GAP_IN + max(map(_width_in, names))
    height_in = num_rows * _ROW_IN + _HEADER_IN + 0.02
    figure = Figure((num_panels * panel_in, height_in))
    for panel in range(num_panels):
        rows = order[panel * num_rows : (panel + 1) * num_rows]
        axes = _blank_axes(figure, panel * panel_in, panel_in, height_in)
        for column, level in enumerate(assignments[:-1]):
            _draw_column(axes, column, level, rows)
        x_in = num_levels * _LEVEL_IN + _GAP_IN / 2
        _write(axes, x_in, _HEADER_IN / 2, "class")
        for row, k in enumerate(rows):
            _write(axes, x_in, _HEADER_IN + (row + 0.5) * _ROW_IN, names[k])
    return figure


def _draw_column(axes: Axes, column: int, level: Sequence[int], rows: Sequence[int]) -> None:
    middle_in = (column + 0.5) * _LEVEL_IN
    _write(axes, middle_in, _HEADER_IN / 2, f"level {column + 1}", is_centred=True)
    for start, end, superclass in superclass_runs(level, rows):
        place = (column * _LEVEL_IN + 0.02, _HEADER_IN + start * _ROW_IN)
        _draw_block(axes, place, _LEVEL_IN - 0.04, (end - start) * _ROW_IN, superclass)
        y_in = _HEADER_IN + (start + end) / 2 * _ROW_IN
        _write(axes, middle_in, y_in, str(superclass + 1), is_centred=True)


def draw_level(level: Sequence[int], names: Sequence[str], *, title: str) -> Figure:
    """Return the superclasses of one level, each as a box with the names of its classes.

    Args:
        level: superclass of each class.
        names: one for each class.
        title: of the figure.
    """
    pairs = list(zip(names, level, strict=True))
    boxes = [(own, [name for name, each in pairs if each == own]) for own in sorted(set(level))]
    box_in = _NAME_IN + _GAP_IN
    per_line = max(1, min(len(boxes), int((_WIDTH_IN + _GAP_IN) / (box_in + _GAP_IN))))
    lines = [boxes[start : start + per_line] for start in range(0, len(boxes), per_line)]
    heights_in = [max(_box_in(members) for _, members in line) for line in lines]
    width_in = per_line * (box_in + _GAP_IN)
    height_in = _HEADER_IN + sum(heights_in) + _GAP_IN * len(lines)
    figure = Figure((width_in, height_in))
    axes = _blank_axes(figure, 0.0, width_in, height_in)
    _write(axes, 0.02, _HEADER_IN / 2, title)
    y_in = _HEADER_IN
    for line, line_in in zip(lines, heights_in, strict=True):
        for column, (superclass, members) in enumerate(line):
            place = (column * (box_in + _GAP_IN) + 0.02, y_in)
            _draw_box(axes, place, box_in, superclass, members)
        y_in += line_in + _GAP_IN
    return figure


def _box_in(members: Sequence[str]) -> float:
    """Return the height of a box with a header and these classes."""
    return (1.6 + sum(len(_wrapped(name)) for name in members)) * _ROW_IN


def _draw_box(
    axes: Axes, place: tuple[float, float], width_in: float, superclass: int, members: Sequence[str]
) -> None:
    x_in, y_in = place
    own_in = _box_in(members)
    axes.add_patch(Rectangle(place, width_in, own_in, fill=False, edgecolor=_INK, linewidth=0.5))
    _draw_block(axes, place, width_in, 1.2 * _ROW_IN, superclass)
    header = f"superclass {superclass + 1}: {plural(len(members), 'class', 'classes')}"
    _write(axes, x_in + _GAP_IN / 2, y_in + 0.6 * _ROW_IN, header)
    lines = [line for name in members for line in _wrapped(name)]
    for row, line in enumerate(lines):
        _write(axes, x_in + _GAP_IN / 2, y_in + (row + 1.8) * _ROW_IN, line)


def _wrapped(name: str) -> list[str]:
    """Return the lines of a name, those after the first indented; long words are broken."""
    lines = [""]
    for word in name.split(" "):
        if lines[-1].strip() and _width_in(f"{lines[-1]} {word}") > _NAME_IN:
            lines.append("  ")
        lines[-1] += f" {word}" if lines[-1].strip() else word
        while _width_in(lines[-1]) > _NAME_IN:
            line = lines[-1]
            end = next(end for end in range(len(line), 0, -1) if _width_in(line[:end]) <= _NAME_IN)
            lines[-1:] = [line[:end], f"  {line[end:]}"]
    return lines


def _width_in(text: str) -> float:
    fonts = installed_fonts()
    return text_width_in(drawable(text, fonts), fonts, _TEXT_POINTS)


def _blank_axes(figure: Figure, left_in: float, width_in: float, height_in: float) -> Axes:
    """Return axes over the height of a figure whose unit is an inch, with the origin at the top left."""
    own_in, _ = figure.get_size_inches()
    axes = figure.add_axes((left_in / own_in, 0.0, width_in / own_in, 1.0))
    axes.set_xlim(0.0, width_in)
    axes.set_ylim(height_in, 0.0)
    axes.set_axis_off()
    return axes


def _draw_block(
    axes: Axes, place: tuple[float, float], width_in: float, height_in: float, superclass: int
) -> None:
    # Twenty hues, which repeat; so pale that black text is legible on them.
    hue = tuple((part + 1.5) / 2.5 for part in colormaps["tab20"](superclass % 20)[:3])
    axes.add_patch(Rectangle(place, width_in, height_in, facecolor=hue, edgecolor=_INK, linewidth=0.5))


def _write(axes: Axes, x_in: float, y_in: float, text: str, *, is_centred: bool = False) -> None:
    fonts = installed_fonts()
    axes.text(
        x_in,
        y_in,
        drawable(text, fonts),
        size=_TEXT_POINTS,
        family=fonts,
        ha="center" if is_centred else "left",
        va="center_baseline",
        parse_math=False,
    )
