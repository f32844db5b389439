"""Tests that the leases and loans of a dead trial end at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.mark.parametrize("event", ["on_trial_recover", "on_trial_error"])
def test_the_leases_and_loans_of_a_trial_whose_process_died_end_at_once(event):
    from autohier.sweep.execution.actors.context import SweepContext
    from autohier.sweep.execution.callbacks import LeaseCallback

    released = []
    broker = SimpleNamespace(give_up=SimpleNamespace(remote=released.append))

    class Context(SimpleNamespace):
        give_up = SweepContext.give_up

        def leases(self, trial):
            return SimpleNamespace(give_up=lambda: released.append(f"leases of {trial}"))

    callback = LeaseCallback(Context(broker=broker))
    trial = SimpleNamespace(config={"trial": "t0003"})
    getattr(callback, event)(iteration=1, trials=[trial], trial=trial)
    assert released == ["leases of t0003", "t0003"]
