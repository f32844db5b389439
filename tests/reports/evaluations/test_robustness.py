"""Robustness as rows, table and figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from autohier.core.training.metrics import Predictions
from autohier.data.corruption.kinds import JointDrop
from autohier.deploy.measurements.robustness import CLEAN, Condition, Measured
from autohier.errors import InputError
from autohier.reports.evaluations.robustness import legend_lines, robustness_rows, robustness_table
from autohier.reports.evaluations.robustness_figure import draw_robustness, figure_format

DROP = Condition("joint drop", "1/8", 0.125, JointDrop(0.125))


def guesses(*classes: int) -> Predictions:
    """Predictions of clips whose class is 0."""
    shares = np.eye(2, dtype=np.float32)[list(classes)]
    return Predictions(tuple("abcdefgh"[: len(classes)]), np.zeros(len(classes), np.int64), shares)


def rows_of(name: str, *changed: int):
    clean = guesses(0, 0, 0, 0, 0, 0, 1, 1)
    measured = [Measured(CLEAN, clean, clean), Measured(DROP, guesses(*changed), clean)]
    return list(robustness_rows(name, "test clips", measured))


ROWS = [*rows_of("graph", 1, 1, 1, 1, 0, 0, 0, 1), *rows_of("heat", 0, 0, 0, 0, 0, 0, 1, 1)]


def test_changes_are_those_of_the_same_clips() -> None:
    clean, drop = ROWS[:2]
    assert (clean.corruption, clean.strength, clean.accuracy, clean.change) == ("none", None, 0.75, 0.0)
    assert (drop.corruption, drop.level, drop.strength) == ("joint drop", "1/8", 0.125)
    assert (drop.accuracy, drop.change) == (0.375, -0.375)
    assert (drop.newly_wrong, drop.newly_right) == (4, 1)
    # Two-sided: 5 coins show 4 or more of one side with probability 2 (5 + 1) / 32.
    assert drop.p_value == pytest.approx(12 / 32)
    assert round(drop.accuracy_low, 3) == 0.137


def test_the_table_has_a_column_per_model() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(robustness_table(ROWS))
    lines = capture.get().splitlines()
    assert lines[0].split() == ["corruption", "level", "graph", "heat"]
    assert lines[2].split() == ["clips", "8", "test", "clips", "8", "test", "clips"]
    assert lines[3].split() == ["none", "75.0%", "40.9-92.9", "75.0%", "40.9-92.9"]
    assert lines[4].split() == [
        *("joint", "drop", "1/8", "37.5%", "13.7-69.4", "-37.5", "75.0%", "40.9-92.9", "+0.0")
    ]


def test_the_legend_explains_what_the_table_shows() -> None:
    first, *lines = legend_lines(ROWS)
    assert first.endswith("levels:")
    assert lines == ["  joint drop: probability that a frame loses a random joint of each person"]


def test_the_figure_names_models_and_levels_and_is_the_same_each_time() -> None:
    picture = draw_robustness(ROWS, "svg")
    assert picture == draw_robustness(ROWS, "svg")
    for text in (b"graph", b"heat", b"joint drop", b"1/8"):
        assert b"<!-- " + text + b" -->" in picture
    assert b"occlusion" not in picture
    assert draw_robustness(ROWS, "png").startswith(b"\x89PNG")
    assert draw_robustness([ROWS[0]], "png").startswith(b"\x89PNG")  # nothing affects the model


def test_the_ending_of_a_figure_decides_its_format() -> None:
    assert figure_format(Path("a.SVG")) == "svg"
    with pytest.raises(InputError, match=r"--figure must end in \.png, \.svg, \.pdf, but got a\.jpg"):
        figure_format(Path("a.jpg"))
