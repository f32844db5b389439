"""Figure of a confusion matrix: order, colours and names."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from autohier.reports.figures.classes import TrialClasses
from autohier.reports.figures.confusion import draw_confusion

NAMES = ("wave", "bow", "sit")
# Superclasses {wave, sit} and {bow}, so that the order is wave, sit, bow.
ASSIGNMENTS = ((0, 1, 0), (0, 1, 2))
CONFUSION = np.array([(3, 0, 1), (0, 2, 0), (5, 5, 0)])


def test_cells_are_shares_of_the_true_class_in_the_order_of_superclasses() -> None:
    figure = draw_confusion(TrialClasses(NAMES, ASSIGNMENTS, CONFUSION))
    axes, _ = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["wave", "sit", "bow"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["wave", "sit", "bow"]
    (cells,) = [each for each in axes.collections if isinstance(each, PolyCollection)]
    corners = [tuple(np.asarray(path.vertices)[0]) for path in cells.get_paths()]
    shares = dict(zip(corners, np.square(np.asarray(cells.get_array())), strict=True))
    # By (column, row): wave as wave 3/4 and as sit 1/4; sit as wave and as bow 5/10 each; bow as bow 2/2.
    assert shares == pytest.approx({(0, 0): 0.75, (1, 0): 0.25, (0, 1): 0.5, (2, 1): 0.5, (2, 2): 1.0})
    assert [text.get_text() for text in axes.texts] == ["3", "1", "5", "5", "2"]
    frames = [(*box.get_xy(), box.get_width()) for box in axes.patches if isinstance(box, Rectangle)]
    assert frames == [(0, 0, 2), (2, 2, 1)]


def test_a_stage_without_confusions_has_no_figure() -> None:
    with pytest.raises(ValueError, match="no confusion matrix"):
        draw_confusion(TrialClasses(NAMES, ASSIGNMENTS, None))
