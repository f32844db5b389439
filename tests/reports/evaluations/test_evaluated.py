"""Predictions of an evaluation as rows and as CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autohier.core.training.metrics import Predictions
from autohier.reports.evaluations.evaluated import clip_predictions, evaluated_model, write_clip_predictions

PREDICTIONS = Predictions(
    ("a", "b"),
    np.array([1, 2]),
    np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], dtype=np.float32),
)
HEAVIEST = Predictions(
    ("b",), np.array([2]), np.zeros((1, 3), np.float32), (np.array([[0.25, 0.75]], dtype=np.float32),)
)
"""A network that lacks the clip ``a``."""


def test_predictions_are_written_clip_by_clip(tmp_path: Path) -> None:
    rows = list(clip_predictions(PREDICTIONS, ("sit", "run", "wave"), HEAVIEST, top=2))
    write_clip_predictions(tmp_path / "own.csv", rows)
    assert (tmp_path / "own.csv").read_text().splitlines() == [
        "clip,true,class_1,probability_1,class_2,probability_2,superclass_1,superclass_probability_1",
        "a,run,run,0.500000,wave,0.300000,,",
        "b,wave,sit,0.600000,wave,0.300000,1,0.750000",
    ]


def test_accuracy_and_its_interval_in_a_row() -> None:
    row = evaluated_model(PREDICTIONS, model="m", clips="test clips", refit=True, recorded=True)
    assert (row.num_clips, row.accuracy, row.top5_accuracy, row.mean_class_accuracy) == (2, 0.5, 1.0, 0.5)
    # Wilson's interval of 1 in 2: 1/2 +- z sqrt(1/8 + z^2/16) / (1 + z^2/2) with z = 1.95996.
    assert round(row.accuracy_low, 4) == 0.0945
    assert round(row.accuracy_high, 4) == 0.9055
