"""Measuring the scaling: numbers of accelerators and of steps, and the workers of a real broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autohier.config.scaling import MeasuredScaling
from autohier.config.search.loading import load_space
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.execution.signals import StopRequest, SweepInterruptedError
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.rungs import open_rungs
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan

be_quiet()  # Ray reads its environment when it is imported

from autohier.sweep.execution.accelerators.lending import (  # noqa: E402
    Lending,
    lend_accelerators,
    measure_steps,
    widths_to_measure,
)
from autohier.sweep.execution.actors.context import SweepContext  # noqa: E402


@pytest.mark.parametrize(
    ("fewest", "most", "widths"),
    [
        (1, 1, [1]),
        (1, 2, [1, 2]),
        (1, 6, [1, 2, 4, 6]),
        (1, 8, [1, 2, 4, 8]),
        (4, 12, [4, 8, 12]),
        (4, 2, [4]),
    ],
)
def test_each_number_is_twice_the_one_before(fewest: int, most: int, widths: list[int]) -> None:
    assert widths_to_measure(fewest, most) == widths


class Cluster:
    """Machines whose steps take a known time; the first measurement of each number is disturbed."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.asked: list[tuple[int, int]] = []

    def time_step(self, width: int, num_steps: int) -> float | None:
        is_first = (width, num_steps) not in self.asked
        self.asked.append((width, num_steps))
        return self.seconds[width] + 0.5 * is_first if width in self.seconds else None


def test_a_number_that_does_not_pay_ends_the_measurement() -> None:
    cluster = Cluster({1: 0.5, 2: 0.3, 4: 0.29, 8: 0.1})
    assert measure_steps(cluster.time_step, [1, 2, 4, 8]) == {1: 0.5, 2: 0.3, 4: 0.29}
    # The first look takes 1 s a step, so that 3 s hold three steps.
    assert cluster.asked == [(1, 3)] + [(1, 3)] * 2 + [(2, 3)] * 2 + [(4, 3)] * 2


def test_quick_steps_are_measured_more_often_and_slow_ones_three_times() -> None:
    quick, slow = Cluster({1: 1e-3}), Cluster({1: 60.0})
    quick.asked, slow.asked = [(1, 3)], [(1, 3)]
    measure_steps(quick.time_step, [1])
    measure_steps(slow.time_step, [1])
    assert quick.asked[-1] == (1, 30)
    assert slow.asked[-1] == (1, 3)


def test_machines_that_left_are_not_measured() -> None:
    assert measure_steps(Cluster({1: 0.5, 2: 0.3}).time_step, [1, 2, 4]) == {1: 0.5, 2: 0.3}


Lend = Callable[..., tuple[Lending, list[str]]]


@pytest.fixture
def lend(tmp_path: Path, tiny_data: Path, ray_address: str) -> Lend:  # noqa: ARG001
    import ray

    def lend_all(stop: StopRequest, **changes: object) -> tuple[Lending, list[str]]:
        space, lines = load_space(str(SPACE_FILE), ()), list[str]()
        context = SweepContext(
            SweepFolder(tmp_path), tiny_data / "demo", tmp_path / "stages", "cpu", 1, open_rungs(space), 0
        )
        plan = make_plan(tmp_path, space=space, scaling="measure", **changes)
        lending = lend_accelerators("measure", plan, context, Share(1, 0, 2, 2), lines.append, stop)
        ray.kill(lending.context.broker)
        return lending, lines

    return lend_all


MACHINES = "1 machine with 2 accelerators (cpu, 1 CPU each)"


def test_the_scaling_of_two_workers_is_measured(lend: Lend) -> None:
    lending, lines = lend(StopRequest())
    assert lending.measured is not None
    assert list(lending.measured.step_s) == [1, 2]
    assert lending.measured.machines == MACHINES
    assert lending.context.max_width == lending.measured.scaling.max_width
    assert lines[0] == f"scaling: measuring training steps on {MACHINES} ..."
    assert lines[1] == f"scaling: {lending.measured}"
    assert lines[2].startswith("scaling: a stage trains on up to ")


def test_a_measurement_on_the_same_machines_is_taken_over(lend: Lend) -> None:
    before = MeasuredScaling(machines=MACHINES, step_s={1: 0.5, 2: 0.3})
    lending, lines = lend(StopRequest(), measured_scaling=before)
    assert lending.measured == before
    assert lending.context.max_width == 2
    assert lines == [f"scaling: a stage trains on up to 2 accelerators, as measured on {MACHINES}"]


def test_a_signal_ends_the_measurement(lend: Lend) -> None:
    stop = StopRequest()
    stop.make()
    with pytest.raises(SweepInterruptedError, match=r"^$"):
        lend(stop)
