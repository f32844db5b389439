"""Tests of the display of a sweep."""

from __future__ import annotations

import io

from rich.console import Console

from autohier.sweep.execution import display as display_module
from autohier.sweep.execution.display import BestTrial, Display
from autohier.sweep.execution.earlier_trials import EarlierTrials
from autohier.sweep.execution.messages import (
    EpochEnd,
    StageEnd,
    StageReused,
    StageWait,
    TrialComplete,
    TrialFacts,
    TrialFailed,
    TrialStopped,
)
from support.fakes.fake_outcomes import PARAMS

FACTS = TrialFacts(0, 1, 1, (), 0, 1)


def make_display(**options):
    console = Console(file=io.StringIO(), width=160, record=True)
    display = Display(console, target=8, **options)
    display.show_start("t0001", PARAMS)
    return console, display


def test_a_waiting_trial_names_the_trial_it_waits_for():
    console, display = make_display()
    display.show("t0001", StageWait("pass 2", "t0000"))
    assert console.export_text().splitlines()[-1] == "t0001 pass 2: waits for t0000"


def test_the_table_shows_a_wait_until_the_next_epoch():
    console, display = make_display()
    display.show("t0001", EpochEnd("pass 1", 2, 0.5, reused=True))
    display.show("t0001", StageWait("pass 2", "t0000"))
    console.print(display._table())
    (row,) = [line for line in console.export_text().splitlines() if line.startswith("│ t0001")]
    assert "pass 2, waits for t0000" in row
    assert "50.00%" not in row
    display.show("t0001", EpochEnd("pass 2", 1, 0.6, reused=False))
    console.print(display._table())
    assert "waits" not in console.export_text()


def test_a_trial_shows_its_variant_and_settings():
    console, display = make_display()
    sampled = {"variant": "bone", "settings": (("pass_2.epochs", 20),)}
    display.show_start("t0002", PARAMS.model_copy(update=sampled))
    first, second = console.export_text().splitlines()
    assert first == "t0001 started: superclasses 2/4, weight_ratio 0.5, scope layerwise, ratio 0.1, passes 3"
    assert second.startswith("t0002 started: variant bone, pass_2.epochs 20, superclasses 2/4, ")
    console.print(display._table())
    assert "2/4  weight ratio 0.5" in console.export_text()


def test_a_refit_shows_its_epochs_without_an_accuracy():
    console, display = make_display()
    display.show("refit of t0000", EpochEnd("pass 1", 3, float("nan"), reused=False))
    assert console.export_text().splitlines()[-1] == "refit of t0000 pass 1, epoch 3"
    display.show("t0001", EpochEnd("pass 1", 3, float("nan"), reused=False))
    console.print(display._table())
    assert "nan" not in console.export_text()


def test_epochs_of_reused_stages_are_counted():
    console, display = make_display()
    display.show("t0001", StageReused("pass 1", 24, 0.5))
    display.show("t0001", EpochEnd("pass 2", 1, 0.6, reused=False))
    display.show("t0001", StageEnd("pass 2", 0.625))
    assert console.export_text().splitlines()[1:] == [
        "t0001 pass 1 (reused): 50.00%",
        "t0001 pass 2, epoch 1: 60.00%",
        "t0001 pass 2: 62.50%",
    ]
    assert display._caption() == "epochs trained 1, reused 24"


def test_every_end_of_a_trial_counts():
    console, display = make_display()
    display.show("t0001", TrialComplete((0.5, 0.75, 0.25), (), FACTS))
    display.show("t0002", TrialStopped((0.5,), (), "weak"))
    display.show("t0003", TrialFailed("no memory", "out of memory", ""))
    _, complete, stopped, failed = console.export_text().splitlines()
    assert complete.startswith("t0001 finished: 75.00% (1 of 8 trials, best 75.00% in t0001")
    assert stopped.startswith("t0002 stopped: weak (2 of 8 trials, best 75.00% in t0001")
    assert failed == "t0003 failed (out of memory): no memory"
    assert display._headline().startswith("3 of 8 trials")


def test_the_ends_of_trials_stay_above_the_table_of_a_terminal():
    output = io.StringIO()
    display = Display(Console(file=output, width=160, force_terminal=True), target=8)
    with display.running(0):
        for name in ("t0001", "t0002"):
            display.show_start(name, PARAMS)
        display.show("t0001", TrialComplete((0.5, 0.75), (), FACTS))
        display.show("t0002", TrialStopped((0.5,), (), "50.00% at rung 1"))
    assert "t0001 finished: 75.00%\n" in output.getvalue()
    assert "t0002 stopped: 50.00% at rung 1\n" in output.getvalue()


def test_the_best_trial_of_earlier_drivers_stays_the_best():
    console, display = make_display()
    display.set_earlier(BestTrial("t0000", 0.9, 10), EarlierTrials())
    display.show("t0001", TrialComplete((0.5, 0.75), (), FACTS))
    assert console.export_text().splitlines()[-1].endswith("best 90.00% in t0000)")
    display.show("t0002", TrialComplete((0.95,), (), FACTS))
    assert console.export_text().splitlines()[-1].endswith("best 95.00% in t0002)")


def test_the_shared_pass_1_is_named_once():
    console, display = make_display()
    display.show_start("pass 1", None)
    display.show("pass 1", EpochEnd("pass 1", 1, 0.25, reused=False))
    display.show("pass 1", EpochEnd("pass 1 of fold 2", 1, 0.5, reused=False))
    display.show_shared_stage("pass 1", 0.75, reused=True)
    assert console.export_text().splitlines()[1:] == [
        "pass 1, shared by all trials",
        "pass 1, epoch 1: 25.00%",
        "pass 1 of fold 2, epoch 1: 50.00%",
        "pass 1, shared by all trials (reused): 75.00%",
    ]


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        return self.now_s


def test_the_remaining_time_counts_the_trials_after_pass_1_and_the_refit(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(display_module, "time", clock)
    _, display = make_display()
    with display.running(0):
        clock.now_s = 5000  # pass 1
        display.show("pass 1", EpochEnd("pass 1", 1, 0.25, reused=False, seconds=40))
        display.show_shared_stage("pass 1", 0.5, reused=False)
        for number in range(1, 4):
            clock.now_s += 100
            display.show(f"t000{number}", TrialComplete((0.5,), (), TrialFacts(0, 1, 1, (), 20, 10)))
            if number < 3:
                assert "left" not in display._headline()
        # 5 trials of 100 s, and the 30 epochs of the best chain with 40 s each: 1700 s.
        assert display._headline().endswith(", about 28 min left")


def test_a_resumed_sweep_estimates_the_time_left_from_its_earlier_trials(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(display_module, "time", clock)
    _, display = make_display()
    display.set_earlier(BestTrial("t0000", 0.9, 30), EarlierTrials(3, 600.0, 40.0))
    with display.running(4):
        clock.now_s += 50
        # 4 trials of 200 s, and the 30 epochs of the best chain with 40 s each: 2000 s.
        assert display._headline() == "4 of 8 trials, best 90.00% in t0000, about 33 min left"
        clock.now_s += 50
        display.show("t0004", TrialStopped((), (), "rank 4 of 4"))
        # 3 trials of (600 + 100) / 4 = 175 s, and the refit: 1725 s.
        assert display._headline().endswith(", about 29 min left")
        display.show("t0005", TrialStopped((), (), "rank 4 of 4"))
        display.show("t0006", TrialStopped((), (), "rank 4 of 4"))
        # From three trials on, this driver's pace counts: one trial of 100 / 3 s, and the refit: 1233 s.
        assert display._headline().endswith(", about 21 min left")


def test_a_resumed_confirmation_estimates_the_time_left_from_its_earlier_runs():
    _, display = make_display()
    shown = display.confirming(5, EarlierTrials(3, 600.0, 40.0))
    with shown.running(3):
        assert shown._headline() == "3 of 5 confirmation runs, about 7 min of trials left"


def test_the_end_of_the_trials_is_not_that_of_the_sweep():
    _, display = make_display()
    with display.running(8):
        assert display._headline() == "8 of 8 trials, then the refit and the test"
    _, display = make_display(refits=False)
    with display.running(8):
        assert display._headline() == "8 of 8 trials, then the test"


def test_an_unknown_refit_is_not_in_the_remaining_time(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(display_module, "time", clock)
    _, display = make_display(num_folds=2)
    with display.running(0):
        for number in range(4):
            display.show(f"t000{number}", TrialComplete((0.5,), (), TrialFacts(0, 1, 1, (), 30, 0)))
        assert display._headline().endswith(", less than a minute of trials left")
        # A fold's share of the 30 epochs, 15, with 20 s each.
        display.show("t0009", EpochEnd("pass 2", 1, 0.25, reused=False, seconds=20))
        assert display._headline().endswith(", about 5 min left")


def test_a_search_with_a_budget_names_no_number_of_trials():
    console = Console(file=io.StringIO(), width=200)
    display = Display(console, target=10_000, has_budget=True)
    display.show("t0000", TrialStopped((0.5,), (), "weak"))
    shown = console.file.getvalue()
    assert "t0000 stopped: weak (1 trial)" in shown
    assert "10000" not in shown
