"""The contract of `TrialScheduler`, on every registered scheduler and on the example package's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.config.search.loading import load_space
from autohier.config.sweep_extensions import TRIAL_SCHEDULERS
from autohier.errors import InputError
from autohier.sweep.scheduling.host import SchedulerHost, build_scheduler
from autohier.sweep.scheduling.rungs import RungReport, open_rungs
from support.sweep_runs.plans import make_plan

RUNGS = open_rungs(load_space("demo"))
NAMES = TRIAL_SCHEDULERS.names
LAST = len(RUNGS.budgets) - 1

REPORTS = st.lists(
    st.builds(
        lambda step, value, config: RungReport(step, value / 8, (config,), (config, "params")),
        st.integers(0, LAST),
        st.integers(0, 8),
        st.integers(0, 12),
    ),
    max_size=40,
)


def answers(scheduler, reports):
    return [scheduler.decide(report) for report in reports]


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS)
def test_an_answer_is_none_or_one_line(name, reports):
    scheduler = build_scheduler(name, RUNGS)
    for answer in answers(scheduler, reports):
        assert answer is None or (answer and answer.isprintable())
        assert scheduler.stops_trials or answer is None


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS)
def test_answers_follow_from_the_reports(name, reports):
    assert answers(build_scheduler(name, RUNGS), reports) == answers(build_scheduler(name, RUNGS), reports)


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS, driver_ends_after=st.integers(0, 40))
def test_a_restored_scheduler_answers_as_an_uninterrupted_one(name, reports, driver_ends_after):
    recorded, later = reports[:driver_ends_after], reports[driver_ends_after:]
    restored = SchedulerHost(name, RUNGS, recorded)
    assert answers(restored, later) == answers(build_scheduler(name, RUNGS), reports)[driver_ends_after:]


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS, dies_after=st.integers(0, 40))
def test_a_host_that_is_started_again_forgets_no_report(tmp_path_factory, name, reports, dies_after):
    file = tmp_path_factory.mktemp("sweep") / "scheduler.reports"
    before, later = reports[:dies_after], reports[dies_after:]
    answers(SchedulerHost(name, RUNGS, file=file), before)
    with file.open("a") as lines:
        lines.write('{"step": 0, "va')  # of a process that died while it wrote
    again = SchedulerHost(name, RUNGS, file=file)
    assert answers(again, later) == answers(build_scheduler(name, RUNGS), reports)[dies_after:]


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS)
def test_a_trial_that_continued_at_a_rung_continues_there_again(name, reports):
    scheduler = build_scheduler(name, RUNGS)
    continued = [report for report in reports if scheduler.decide(report) is None]
    assert answers(scheduler, continued) == [None] * len(continued)


@pytest.mark.parametrize("name", NAMES)
@given(reports=REPORTS)
def test_a_value_as_high_as_the_best_continues(name, reports):
    scheduler = build_scheduler(name, RUNGS)
    best: dict[int, float] = {}
    for report in reports:
        answer = scheduler.decide(report)
        if report.value >= best.get(report.step, -1.0):
            assert answer is None
            best[report.step] = report.value


@pytest.mark.parametrize("name", NAMES)
def test_a_builder_imports_neither_torch_nor_ray(name):
    script = (
        "import sys; from autohier.config.sweep_extensions import TRIAL_SCHEDULERS; "
        f"TRIAL_SCHEDULERS.find({name!r}).load(); "
        "sys.exit(' '.join({'torch', 'ray', 'optuna'} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_may_name_it(tmp_path: Path, name):
    assert make_plan(tmp_path, scheduler=name).scheduler == name


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path):
    with pytest.raises(
        ValueError, match=r"unknown trial scheduler 'successive-halfing': did you mean 'success"
    ):
        make_plan(tmp_path, scheduler="successive-halfing")
    with pytest.raises(InputError, match="unknown trial scheduler"):
        build_scheduler("hyperband", RUNGS)
