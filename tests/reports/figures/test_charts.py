"""Charts of a search: their axes."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.reports.figures.charts import HistoryPoint, draw_history


@pytest.mark.parametrize(
    ("hours", "label", "end"), [(0.5, "minutes since the start", 30.0), (3.0, "hours since the start", 3.0)]
)
def test_the_history_of_a_short_sweep_is_in_minutes(hours: float, label: str, end: float) -> None:
    points = [
        HistoryPoint(4, hours / 2, 0.5, is_complete=True),
        HistoryPoint(8, hours, 0.6, is_complete=True),
    ]
    left, right = draw_history(points, objective="accuracy").axes
    assert left.get_ylabel() == "validation accuracy, %"
    assert right.get_xlabel() == label
    places = np.asarray(right.collections[0].get_offsets())
    assert places[:, 0] == pytest.approx([end / 2, end])


def test_the_legend_of_the_history_covers_no_point() -> None:
    points = [HistoryPoint(4, 1.0, 0.5, is_complete=True), HistoryPoint(8, 2.0, 0.6, is_complete=False)]
    figure = draw_history(points, objective="accuracy")
    assert [axes.get_legend() for axes in figure.axes] == [None, None]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("complete", "highest measured so far", "stopped, last epoch"),
    ]
    figure.draw_without_rendering()
    bottom = legend.get_window_extent().y0
    assert all(axes.get_window_extent().y1 <= bottom for axes in figure.axes)
