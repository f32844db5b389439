"""Figures of superclasses: every name is legible, and each class is in the row of its superclasses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from autohier.data.datasets.ntu.reader import NTU60_CLASS_NAMES
from autohier.reports.figures.superclasses import draw_hierarchy, draw_level

SIXTY = NTU60_CLASS_NAMES
NAMES = ("wave", "bow", "sit", "jump")
# Level 2 does not nest in level 1: its superclass 0 has a class in both.
ASSIGNMENTS = ((0, 1, 0, 1), (0, 0, 1, 1), (0, 1, 2, 3))


def texts(figure: Figure) -> list[Text]:
    return [text for axes in figure.axes for text in axes.texts]


def boxes(figure: Figure) -> list[Rectangle]:
    return [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]


def extents(figure: Figure) -> dict[int, Bbox]:
    canvas = FigureCanvasAgg(figure)
    figure.draw(canvas.get_renderer())
    return {place: text.get_window_extent() for place, text in enumerate(texts(figure))}


def test_the_hierarchy_orders_classes_by_superclass_and_numbers_its_blocks() -> None:
    shown = [text.get_text() for text in texts(draw_hierarchy(ASSIGNMENTS, NAMES))]
    # By level 1, then level 2: wave (0, 0), sit (0, 1), bow (1, 0), jump (1, 1).
    assert shown == [
        "level 1",
        "1",
        "2",
        "level 2",
        "1",
        "2",
        "1",
        "2",
        "class",
        "wave",
        "sit",
        "bow",
        "jump",
    ]
    first, second, *others = boxes(draw_hierarchy(ASSIGNMENTS, NAMES))
    assert first.get_height() == second.get_height() == pytest.approx(2 * others[0].get_height())
    assert first.get_facecolor() == others[0].get_facecolor() == others[2].get_facecolor()
    assert first.get_facecolor() != second.get_facecolor()


@pytest.mark.parametrize("copies", [1, 2])
def test_sixty_names_fit_a_page_and_do_not_overlap(copies: int) -> None:
    names = SIXTY * copies
    num_classes = len(names)
    levels = [[k * count // num_classes for k in range(num_classes)] for count in (2, 6, 20)]
    figure = draw_hierarchy([*levels, list(range(num_classes))], names)
    width_in, height_in = figure.get_size_inches()
    assert (width_in <= 9, height_in <= 9.5) == (True, True)
    assert len(figure.axes) == copies
    placed = sorted(extents(figure).values(), key=lambda box: (box.x0, -box.y0))
    assert not any(Bbox.intersection(one, other) for one, other in pairwise(placed))
    assert {text.get_text() for text in texts(figure)} >= set(names)
    assert min(float(text.get_fontsize()) for text in texts(figure)) >= 7


@pytest.mark.parametrize("count", [2, 20])
def test_names_of_a_level_lie_inside_the_boxes(count: int) -> None:
    names = (*SIXTY[:58], "x" * 70, "拍手" * 20)
    level = [k * count // 60 for k in range(60)]
    figure = draw_level(level, names, title=f"Level 1: {count} superclasses")
    places = extents(figure)
    frames = [box.get_window_extent() for box in boxes(figure)]
    for place, text in enumerate(texts(figure)[1:], start=1):
        centre = places[place].get_points().mean(axis=0)
        own = [frame for frame in frames if frame.contains(*centre)]
        assert own, text.get_text()
        assert all(places[place].x1 <= frame.x1 for frame in own), text.get_text()
    # Wrapped lines are indented; their characters are all there.
    joined = "".join(text.get_text().replace(" ", "") for text in texts(figure))
    assert all(name.replace(" ", "") in joined for name in (*SIXTY[:58], "x" * 70))
    assert figure.get_size_inches()[0] <= 7.2


def test_a_level_lists_the_classes_of_each_superclass() -> None:
    shown = [text.get_text() for text in texts(draw_level((1, 0, 1, 1), NAMES, title="Level 1"))]
    assert shown == [
        "Level 1",
        "superclass 1: 1 class",
        "bow",
        "superclass 2: 3 classes",
        "wave",
        "sit",
        "jump",
    ]
    colours = np.array([box.get_facecolor() for box in boxes(draw_level((0, 1, 1, 1), NAMES, title=""))])
    assert len(np.unique(colours, axis=0)) == 3  # two headers, and boxes that are not filled
