"""The arithmetic of the overhead benchmark; its trials would take minutes."""

import pytest

from autohier.config.search.loading import load_space
from support.benchmark_modules import load_benchmark
from support.sources.tiny_clips import SPACE_FILE


@pytest.fixture(scope="module")
def overhead():
    return load_benchmark("overhead")


def test_it_reports_the_median_per_trial_and_the_ratio(overhead):
    # 4 trials; medians 4 s and 6 s, so 1 s and 1.5 s a trial.
    lines = overhead.report({"plain": [8.0, 4.0, 2.0], "cached": [6.0, 4.0, 40.0]}, trials=4)
    assert lines == [
        "plain   1.000 s/trial (rounds: 2.000, 1.000, 0.500)",
        "cached  1.500 s/trial (rounds: 1.500, 1.000, 10.000), 1.50 times plain Ray Tune",
    ]


def test_arms_take_turns(overhead):
    order = []
    overhead.take_turns(lambda arm: order.append(arm) or 1.0, rounds=2)
    assert order == ["plain", "cached", "idle", "plain", "cached", "idle"]


def test_synthetic_trials_store_stages_that_others_reuse(overhead, tiny_data, tmp_path):
    plan = overhead.plan_of(tmp_path, tiny_data, 2, 1)
    plan = plan.model_copy(update={"space": load_space(str(SPACE_FILE))})
    first, second = (overhead.run_synthetic(plan, overhead.FLAT_PARAMS) for _ in range(2))
    assert [len(stage.epochs) for stage in first.stages] == [
        plan.space.pass_1.epochs,
        plan.space.pass_2.epochs,
    ]
    assert {epoch.accuracy for stage in first.stages for epoch in stage.epochs} == {0.5}
    assert (first.pass_1.reused, second.pass_1.reused) == (False, True)
