"""Two objectives: trials on the front of a rung continue under every scheduler."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.config.search.loading import load_space
from autohier.config.sweep_extensions import TRIAL_SCHEDULERS
from autohier.sweep.scheduling.front_keeper import FrontKeeper
from autohier.sweep.scheduling.host import SchedulerHost, build_scheduler
from autohier.sweep.scheduling.no_stopping import NoStopping
from autohier.sweep.scheduling.rungs import RungReport, open_rungs

RUNGS = open_rungs(load_space("demo"))
NAMES = TRIAL_SCHEDULERS.names
REPORTS = st.lists(
    st.builds(
        lambda step, value, cost, config: RungReport(step, value / 8, (config,), (config, "params"), cost),
        st.integers(0, len(RUNGS.budgets) - 1),
        st.integers(0, 8),
        st.sampled_from([100, 200, 300]),
        st.integers(0, 12),
    ),
    max_size=40,
)


class StopsAll:
    """Stops every trial and keeps the reports."""

    stops_trials = True

    def __init__(self) -> None:
        self.reports: list[RungReport] = []

    def decide(self, report: RungReport) -> str | None:
        self.reports.append(report)
        return "stopped"


def report(value: float, cost: int | None, config: str, step: int = 2) -> RungReport:
    return RungReport(step, value, (config,), (config,), cost)


def test_a_trial_continues_unless_another_is_as_accurate_and_as_cheap() -> None:
    scheduler = StopsAll()
    keeper = FrontKeeper(scheduler)
    assert keeper.decide(report(0.8, 400, "first")) is None
    assert keeper.decide(report(0.6, 200, "less accurate, cheaper")) is None
    assert keeper.decide(report(0.7, 400, "less accurate, as cheap")) == "stopped"
    assert keeper.decide(report(0.6, 300, "as accurate, dearer")) == "stopped"
    assert keeper.decide(report(0.5, 300, "in between, at another rung", step=3)) is None
    # The scheduler has seen all of them, as its answers depend on what it saw.
    assert len(scheduler.reports) == 5


def test_a_trial_that_was_on_the_front_continues_when_it_runs_again() -> None:
    keeper = FrontKeeper(StopsAll())
    assert keeper.decide(report(0.6, 200, "early")) is None
    assert keeper.decide(report(0.9, 100, "better in both")) is None
    assert keeper.decide(report(0.6, 200, "early")) is None
    assert keeper.decide(report(0.6, 200, "late")) == "stopped"


def test_without_costs_the_scheduler_decides() -> None:
    keeper = FrontKeeper(StopsAll())
    assert keeper.decide(report(0.9, None, "a")) == "stopped"


def test_a_scheduler_that_never_stops_is_left_alone() -> None:
    assert isinstance(build_scheduler("none", RUNGS), NoStopping)


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS)
def test_no_scheduler_stops_a_trial_on_the_front(name: str, reports: list[RungReport]) -> None:
    scheduler = build_scheduler(name, RUNGS)
    reached: dict[int, dict[object, tuple[float, int]]] = {}
    for each in reports:
        answer = scheduler.decide(each)
        point = (each.value, -(each.multiply_adds or 0))
        at_rung = reached.setdefault(each.step, {})
        at_rung[each.stage] = point
        others = [other for other in at_rung.values() if other != point]
        is_beaten = any(value >= point[0] and cost >= point[1] for value, cost in others)
        assert is_beaten or answer is None


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS, driver_ends_after=st.integers(0, 40))
def test_a_restored_scheduler_answers_as_an_uninterrupted_one(
    name: str, reports: list[RungReport], driver_ends_after: int
) -> None:
    recorded, later = reports[:driver_ends_after], reports[driver_ends_after:]
    restored, whole = SchedulerHost(name, RUNGS, recorded), build_scheduler(name, RUNGS)
    expected = [whole.decide(each) for each in reports][driver_ends_after:]
    assert [restored.decide(each) for each in later] == expected
