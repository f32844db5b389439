"""A sweep that measures its scaling: what it prints and stores, and what a later driver takes over."""

from __future__ import annotations

import pytest

from autohier.sweep.paths import SweepFolder
from support.sweep_runs.sweeps import Sweeps, finish


@pytest.mark.slow
def test_a_measured_scaling_is_stored_and_taken_over(sweeps: Sweeps) -> None:
    out = finish(sweeps.search("a", "--trials", "1", "--scaling", "measure"))
    plan, _ = SweepFolder(sweeps.folder / "sweeps" / "a").read_plan()
    measured = plan.measured_scaling
    assert measured is not None
    assert list(measured.step_s) == [1, 2]
    assert f"scaling: {measured}" in " ".join(out.split())
    assert set(sweeps.states("a").values()) == {"COMPLETE"}
    options = ("--ray-address", sweeps.ray_address)
    again = finish(sweeps.start("resume", "a", "--trials", "2", *options))
    assert "measuring" not in again
    assert f"as measured on {measured.machines}" in " ".join(again.split())
    given = finish(sweeps.start("resume", "a", "--trials", "3", "--scaling", "1", *options))
    assert "scaling:" not in given
