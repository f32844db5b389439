"""What the display shows of a sweep."""

from __future__ import annotations

import io

from rich.console import Console

from autohier.sweep.display import Display
from fake_outcomes import CHOICE


def make_display():
    console = Console(file=io.StringIO(), width=120, record=True)
    display = Display(console, target=8)
    display.trial_started("t0001", CHOICE)
    return console, display


def test_a_trial_that_waits_says_for_whom():
    console, display = make_display()
    display.stage_waits("t0001", "pass 2", "t0000")
    assert console.export_text().splitlines()[-1] == "t0001 pass 2: waits for t0000"


def test_the_table_shows_whom_a_trial_waits_for_until_it_goes_on():
    console, display = make_display()
    display.epoch_finished("t0001", "pass 1", 2, 0.5, reused=True)
    display.stage_waits("t0001", "pass 2", "t0000")
    console.print(display._table())
    (row,) = [line for line in console.export_text().splitlines() if line.startswith("│ t0001")]
    assert "pass 2, waits for t0000" in row
    assert "50.00%" not in row
    display.epoch_finished("t0001", "pass 2", 1, 0.6, reused=False)
    console.print(display._table())
    assert "waits" not in console.export_text()


def test_a_trial_shows_its_variant_and_settings():
    console, display = make_display()
    drawn = {"variant": "bone", "settings": (("pass_2.epochs", 20),)}
    display.trial_started("t0002", CHOICE.model_copy(update=drawn))
    first, second = console.export_text().splitlines()
    assert first == "t0001 started: 2/4  rho 0.5  by-layer 10% x 3"
    assert second == "t0002 started: variant bone, pass_2.epochs 20  2/4  rho 0.5  by-layer 10% x 3"


def test_a_refit_shows_its_epochs_without_an_accuracy():
    console, display = make_display()
    display.epoch_finished("tests", "pass 1", 3, float("nan"), reused=False)
    assert console.export_text().splitlines()[-1] == "tests pass 1, epoch 3"
    display.epoch_finished("t0001", "pass 1", 3, float("nan"), reused=False)
    console.print(display._table())
    assert "nan" not in console.export_text()
