"""Figure of an ablation: a line for each scope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from autohier.reports.figures.pruning import draw_pruning
from autohier.reports.trials.ablation import AblationRow

BASELINE = AblationRow(
    group="baseline",
    passes=0,
    trial="t0000",
    stage="pass 1",
    superclasses="",
    ratio=None,
    split="validation",
    accuracy=0.5,
    low=0.4,
    high=0.6,
    num_clips=100,
    difference=None,
    is_noise=None,
    parameters=10,
    multiply_adds=200,
    is_kept=False,
    config="",
)
HIERARCHY = replace(BASELINE, group="hierarchy", accuracy=0.6, low=0.5, high=0.7)
LAYERWISE = [
    replace(HIERARCHY, group="layerwise pruning", passes=k, accuracy=0.6 + k / 100, is_kept=k == 2)
    for k in (1, 2)
]
GLOBAL = [replace(HIERARCHY, group="global pruning", passes=1, trial="t0001", multiply_adds=150, low=None)]


def line(axes: Axes, label: str) -> np.ndarray:
    (found,) = [
        each for each in axes.containers if isinstance(each, ErrorbarContainer) and each.get_label() == label
    ]
    return np.array(found.lines[0].get_xydata())


def test_the_best_trials_line_begins_with_its_hierarchy() -> None:
    left, right = draw_pruning([BASELINE, HIERARCHY, *LAYERWISE, *GLOBAL]).axes
    assert line(left, "layerwise pruning")[:, 1] == pytest.approx([60, 61, 62])
    assert line(left, "layerwise pruning")[:, 0] == pytest.approx([-0.03, 0.97, 1.97])
    # The other scope's chain is of another trial, whose hierarchy is not this one.
    assert line(right, "global pruning, t0001").tolist() == [[75.0, 60.0]]
    labels = left.get_legend_handles_labels()[1]
    assert labels[0] == "flat baseline (pass 1)"
    assert labels.count("kept pass") == 1


def test_an_ablation_without_pruning_shows_the_hierarchy() -> None:
    left, right = draw_pruning([BASELINE, HIERARCHY]).axes
    assert line(left, "hierarchy").tolist() == [[0.0, 60.0]]
    assert line(right, "hierarchy").tolist() == [[100.0, 60.0]]
    assert left.get_ylabel() == "validation accuracy, %"
