"""Sweep plans refuse invalid names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autohier.config.sweep import UNLIMITED_TRIALS, finished_text
from support.sweep_runs.plans import make_plan


@pytest.mark.parametrize("name", ["stages", "fusions"])
def test_names_of_other_folders_are_reserved(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is the folder of all {name}; choose another name"):
        make_plan(Path(), name=name)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({}, "6 trials"),
        ({"trials": 1, "budget_epochs": 500}, "1 trial or 500 epochs"),
        ({"trials": UNLIMITED_TRIALS, "budget_epochs": 500}, "500 epochs"),
        ({"budget_hours": 2.5, "budget_epochs": 1}, "6 trials or 1 epoch or 2.5 hours of training"),
        ({"trials": UNLIMITED_TRIALS}, "10,000 trials"),
    ],
)
def test_limits_of_a_search_are_those_given(tmp_path: Path, limits: dict[str, Any], text: str) -> None:
    assert make_plan(tmp_path, **limits).limits_text == text


def test_trials_without_a_limit_are_not_counted_against_one() -> None:
    assert finished_text(7, 64) == "7 of 64 trials"
    assert finished_text(1, UNLIMITED_TRIALS) == "1 trial"


@pytest.mark.parametrize("confirm", ["4", "0x2", "4x", "4x2x1", "4X2", "", "auto "])
def test_a_confirmation_of_another_form_is_refused_with_an_example(confirm: str) -> None:
    rule = "must be auto, none, or numbers of trials and of seeds, but got '.*': write e.g. 4x2"
    with pytest.raises(ValidationError, match=rule):
        make_plan(Path(), confirm=confirm)
