"""Times of the parts of a pipeline, with a counted clock."""

from __future__ import annotations

from autohier.deploy.live.part_times import PartTimes


def test_speeds_are_runs_per_second_of_the_own_time() -> None:
    clock = iter([0.0, 0.25, 10.0, 10.75])
    times = PartTimes(lambda: next(clock))
    for _ in range(2):
        with times.measure("poses"):
            pass
    times.add("reading", 30, 0.5)
    assert (times.per_second("poses"), times.per_second("reading")) == (2.0, 60.0)
    assert times.per_second("drawing") is None
