"""``autohier importances``, on a sweep whose trials were not trained."""

from __future__ import annotations

from pathlib import Path

from support.command_line import Autohier
from support.sweep_runs.recorded_sweeps import open_recorded_sweep


def test_importances_of_a_sweep(autohier: Autohier, tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path)
    for number in range(4):
        sweep.complete(60 + number)
    few = autohier("importances", "sweep", "--out", tmp_path)
    assert (few.code, few.out) == (2, "")
    assert "importances need at least 20 complete or stopped trials, but got 4" in few.err


def test_importances_of_a_long_sweep(autohier: Autohier, tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path, trials=21)
    for number in range(19):
        sweep.complete(60 + number % 7)
    sweep.stop(50)
    sweep.fail()
    shown = autohier("importances", "sweep", "--out", tmp_path)
    assert (shown.code, shown.err) == (0, "")
    for name in ("superclasses_1", "superclasses_2", "weight_ratio", "scope", "ratio", "passes"):
        assert name in shown.out
    assert "networks of 20 trials (PED-ANOVA)" in " ".join(shown.out.split())
