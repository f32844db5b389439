"""Mean attention of a stored network by class, as a figure and as arrays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from autohier.core.part_attention import MeanAttention
from autohier.errors import InputError
from autohier.records.reader import read_records
from autohier.reports.figures.attention import attention_arrays, draw_attention
from autohier.reports.figures.networks import recorded_attention
from support.sources.tiny_clips import OVERRIDES
from support.sweep_runs.finished_sweeps import finish_sweep

PARTS = ("left_hand", "right_hand", "body")
MEANS_KP = np.array([[0.2, 0.5, 0.3], [np.nan, np.nan, np.nan]])
WHOLE = ("clips.parts=['left_hand', 'right_hand', 'body']", "recognizer.member=whole")


def test_a_figure_has_a_row_per_class_and_a_number_per_part() -> None:
    axes, _ = draw_attention(MeanAttention(PARTS, MEANS_KP, 7), ("wave$", "none")).axes
    assert [text.get_text() for text in axes.texts] == ["20%", "50%", "30%"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["left hand", "right hand", "body"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["wave$", "none"]
    assert axes.get_title() == "Mean attention, 7 validation clips"


def test_arrays_hold_the_means() -> None:
    read = np.load(io.BytesIO(attention_arrays(MeanAttention(PARTS, MEANS_KP, 7))))
    np.testing.assert_array_equal(read["means"], MEANS_KP)
    assert (read["parts"].tolist(), int(read["num_clips"])) == ([*PARTS], 7)


def test_the_attention_of_a_stored_network_is_a_mean_over_the_clips_of_a_class(
    tiny_data: Path, tmp_path: Path
) -> None:
    folder, _ = finish_sweep(tmp_path, "done", tiny_data, *OVERRIDES["parts+skeletons"], *WHOLE, passes=0)
    plan, _ = folder.read_plan()
    attention = recorded_attention(read_records(folder.records), plan, None, 1000)
    assert attention is not None
    assert attention.parts == PARTS
    assert attention.num_clips == 24
    np.testing.assert_allclose(attention.means_KP.sum(axis=1), np.ones(6))


def test_another_network_has_none(tiny_data: Path, tmp_path: Path) -> None:
    folder, _ = finish_sweep(tmp_path, "done", tiny_data, passes=0)
    plan, _ = folder.read_plan()
    with pytest.raises(InputError, match="the network must weigh parts of the body, but got"):
        recorded_attention(read_records(folder.records), plan, None, 10)
