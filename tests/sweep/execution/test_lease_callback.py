"""Test that the leases of a dead trial end at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.mark.parametrize("event", ["on_trial_recover", "on_trial_error"])
def test_the_leases_of_a_trial_whose_process_died_end_at_once(event):
    from autohier.sweep.execution.callbacks import LeaseCallback

    released = []

    def leases(trial):
        return SimpleNamespace(give_up=lambda: released.append(trial))

    callback = LeaseCallback(SimpleNamespace(leases=leases))
    trial = SimpleNamespace(config={"trial": "t0003"})
    getattr(callback, event)(iteration=1, trials=[trial], trial=trial)
    assert released == ["t0003"]
