"""Figure of a confusion matrix: classes in the order of their superclasses.

Legend: K classes, N cells with clips.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from autohier.records.tensorboard.drawing import superclass_order, superclass_runs
from autohier.reports.figures.classes import TrialClasses
from autohier.reports.figures.fonts import drawable, installed_fonts

_MIN_CELL_IN, _MAX_CELL_IN = 0.11, 0.3
_SIDE_IN: Final = 6.0
_MAX_COUNTED: Final = 20
"""Matrices of up to this many classes hold the numbers of clips."""


def draw_confusion(classes: TrialClasses) -> Figure:
    """Return the confusion matrix with the names of all classes; the superclasses of level 1 are framed.

    Raises:
        ValueError: if the classes have no confusion matrix.
    """
    if classes.confusion_KK is None:
        raise ValueError("the classes have no confusion matrix")
    order = superclass_order(classes.assignments)
    confusion_KK = classes.confusion_KK[np.ix_(order, order)]
    shares_KK = confusion_KK / np.maximum(confusion_KK.sum(axis=1, keepdims=True), 1)
    cell_in = min(_MAX_CELL_IN, max(_MIN_CELL_IN, _SIDE_IN / len(order)))
    side_in = cell_in * len(order)
    figure = Figure((side_in + 0.8, side_in))
    axes = figure.add_axes((0.0, 0.0, side_in / (side_in + 0.8), 1.0))
    # Colours follow the square root, so that confusions of a few per cent are visible. Cells without clips
    # are left out, so that files are small.
    places_N2 = np.argwhere(confusion_KK)
    corners_N42 = places_N2[:, None, ::-1] + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    cells = PolyCollection(list(corners_N42), cmap="Blues", norm=Normalize(0.0, 1.0), edgecolors="none")
    cells.set_array(np.sqrt(shares_KK[tuple(places_N2.T)]))
    axes.add_collection(cells)
    axes.set_xlim(0, len(order))
    axes.set_ylim(len(order), 0)
    if len(classes.assignments) > 1:
        for start, end, _ in superclass_runs(classes.assignments[0], order):
            frame = Rectangle((start, start), end - start, end - start, fill=False, linewidth=0.6)
            axes.add_patch(frame)
    fonts = installed_fonts()
    names = [drawable(classes.names[k], fonts) for k in order]
    places = np.arange(len(order)) + 0.5
    size = min(9.0, 62 * cell_in)
    axes.set_xticks(places, names, rotation=90, size=size, family=fonts, parse_math=False)
    axes.set_yticks(places, names, size=size, family=fonts, parse_math=False)
    axes.tick_params(length=0, pad=2)
    axes.set_xlabel("predicted class", size=9)
    axes.set_ylabel("true class", size=9)
    if len(order) <= _MAX_COUNTED:
        for row, column in places_N2:
            colour = "white" if shares_KK[row, column] > 0.4 else "black"
            count = str(confusion_KK[row, column])
            axes.text(column + 0.5, row + 0.5, count, size=6, color=colour, ha="center", va="center")
    _draw_scale(figure, cells, side_in)
    return figure


def _draw_scale(figure: Figure, cells: PolyCollection, side_in: float) -> None:
    width_in = side_in + 0.8
    own = figure.add_axes(((side_in + 0.15) / width_in, 0.0, 0.15 / width_in, 1.0))
    shares = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
    bar = figure.colorbar(cells, cax=own, ticks=[share**0.5 for share in shares])
    bar.ax.set_yticklabels([f"{share:.0%}" for share in shares], size=8)
    bar.set_label("share of the true class's validation clips", size=9)
