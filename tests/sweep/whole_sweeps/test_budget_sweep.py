"""A sweep that its budget ends: its number of trials is noted, said, and grows with the budget only."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autohier.sweep.api import SweepResult, resume_sweep
from autohier.sweep.paths import SweepFolder
from support.fakes.sweep_in_process import in_this_process, start

PASS_1 = 24
"""Epochs of pass 1 in the demo, which count for its budget."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A sweep of two trials that ended by its number of trials."""
    with in_this_process():
        start(tmp_path, confirm="none")
    return tmp_path


def run(out: Path, call: Callable[..., SweepResult], **options: Any) -> tuple[SweepResult, str, int]:
    said = io.StringIO()
    with in_this_process():
        result = call("sweep", out=out, console=Console(file=said, width=200), **options)
    return result, said.getvalue(), SweepFolder(out / "sweep").read_plan()[0].trials


def test_a_budget_that_is_used_up_lets_no_trials_follow(out: Path) -> None:
    grown, said, noted = run(out, resume_sweep, budget_epochs=PASS_1 + 12)
    assert said.startswith("sweep sweep: 36 epochs of demo, in ")
    used_up = f"the budget of the search is used up after {grown.num_finished} trials"
    assert used_up in said
    assert grown.complete
    assert noted == grown.target == grown.num_finished > 2
    again, said, noted_again = run(out, resume_sweep, trials=40)
    assert said.startswith("sweep sweep: 40 trials or 36 epochs of demo, in ")
    assert used_up in said
    assert (again.num_finished, noted_again, again.complete) == (noted, noted, True)
    more, _, noted_more = run(out, resume_sweep, budget_epochs=PASS_1 + 20)
    assert noted_more == more.num_finished > noted
