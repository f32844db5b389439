"""What a trial tells its driver, and what the driver's display makes of it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from autohier.core.stages.result import StageKind
from autohier.sweep.cluster import be_quiet
from autohier.sweep.display import Display
from fake_outcomes import fake_epoch, fake_outcome


@pytest.fixture
def reports(monkeypatch):
    """What Ray Tune is told, in order."""
    be_quiet()  # Ray reads its environment when it is imported
    told = []
    monkeypatch.setattr("autohier.sweep.actor.tune.report", told.append)
    return told


def tell_stage(driver, stage, *, reused):
    """A stage as run_stage reports it."""
    kind: StageKind = stage.kind
    driver.stage_started(kind, stage.pass_index, reused=reused)
    for metrics in stage.epochs:
        driver.epoch_finished(kind, stage.pass_index, metrics, reused=reused)
    driver.stage_finished(replace(stage, reused=reused))


def test_a_chain_that_is_found_is_told_with_the_end_alone(reports):
    from autohier.sweep.actor import _RayReporter

    driver = _RayReporter(fake_outcome().setting)
    stages = fake_outcome().stages
    for stage in stages:
        tell_stage(driver, stage, reused=True)
    assert reports == []
    driver.tell({"chain": [0.5]})
    found = [(stage.label, len(stage.epochs), stage.accuracy) for stage in stages]
    assert reports == [{"found": found, "chain": [0.5]}]


def test_what_was_found_is_told_before_something_is_trained(reports):
    from autohier.sweep.actor import _RayReporter

    driver = _RayReporter(fake_outcome().setting)
    pass_1, pass_2 = fake_outcome().stages[:2]
    tell_stage(driver, pass_1, reused=True)
    driver.stage_started(pass_2.kind, pass_2.pass_index, reused=False)
    assert reports == [{"found": [("pass 1", len(pass_1.epochs), pass_1.accuracy)]}]
    driver.epoch_finished("pass-2", 0, fake_epoch(0, 60, 3), reused=True)
    driver.epoch_finished("pass-2", 0, fake_epoch(1, 90, 3), reused=False)
    # 60 and 90 of 120 clips are right.
    assert reports[1:] == [
        {"found": [], "stage": "pass 2", "reused": True, "epoch": 1, "accuracy": 0.5},
        {"found": [], "stage": "pass 2", "reused": False, "epoch": 2, "accuracy": 0.75},
    ]


def test_the_display_counts_the_epochs_of_found_stages():
    text = io.StringIO()
    display = Display(Console(file=text, width=100), target=2)
    with display.running(0):
        display.trial_started("t0000", None)
        display.stage_found("t0000", "pass 1", 24, 0.5)
        display.epoch_finished("t0000", "pass 2", 1, 0.6, reused=False)
        display.stage_finished("t0000", "pass 2", 0.625)
    assert text.getvalue().splitlines()[1:] == [
        "t0000 pass 1 (found): 50.00%",
        "t0000 pass 2, epoch 1: 60.00%",
        "t0000 pass 2: 62.50%",
    ]
    assert display._caption() == "epochs trained 1, found trained 24"
