"""The scheduler that stops trials which are unlikely to end among the best."""

import numpy as np
import pytest

from autohier.config.search.loading import load_space
from autohier.sweep.scheduling.promising import build, chance_among_best
from autohier.sweep.scheduling.rungs import RungReport, open_rungs

RUNGS = open_rungs(load_space("demo"))
# Steps of the demo: 0 within pass 2, 1 at its end, 2 to 4 after pruning passes. One in four counts as best.
WITHIN, PASS_2, PRUNED = 0, 1, 2


def report(trial, step, value, stage=None):
    return RungReport(step, value, stage=(stage or trial,), trial=(trial,))


def with_ends(ends, step=WITHIN, then=PASS_2):
    """Return a scheduler whose trials continued from a rung."""
    scheduler = build(RUNGS)
    for number, (start, end) in enumerate(sorted(ends)):
        assert scheduler.decide(report(number, step, start)) is None
        scheduler.decide(report(number, then, end))
    return scheduler


# Starts and ends rise together by 2 points.
ALIKE = [(0.50 + 0.02 * place, 0.70 + 0.02 * place) for place in range(5)]


STARTS = [start for start, _ in ALIKE]


def test_the_chance_by_hand():
    # The slope 1 of trials whose squares sum to 0.004, and the expected 0.5 of five times the variance 0.001:
    # (0.0025 + 0.004) / 0.009 = 0.7222. Around the line, 0.004 * (1 - 2 * 0.7222 + 0.7222^2) = 0.000309 and
    # five times 0.75 of the variance of the ends: sqrt((0.000309 + 0.00375) / 9) = 0.02124.
    # From 0.50 the end is expected at 0.74 - 0.04 * 0.7222; the best of five is 0.78: 3.244 deviations.
    assert chance_among_best(0.50, STARTS, ALIKE, 1) == pytest.approx(0.00059, abs=2e-5)
    # From 0.56: (0.78 - 0.7544) / 0.02124 = 1.203 deviations.
    assert chance_among_best(0.56, STARTS, ALIKE, 1) == pytest.approx(0.1144, abs=5e-4)
    # The best two of five: (0.76 - 0.7544) / 0.02124 = 0.262 deviations.
    assert chance_among_best(0.56, STARTS, ALIKE, 2) == pytest.approx(0.3968, abs=5e-4)


def test_the_best_are_counted_among_all_that_reached_the_rung():
    # Five of 20 continued. If five count as the best, any end above the last of the five does.
    starts = [*STARTS, *[0.4] * 15]
    assert chance_among_best(0.53, starts, ALIKE, 5) > 0.5 > chance_among_best(0.53, starts, ALIKE, 1)
    assert chance_among_best(0.53, starts, ALIKE, 9) == chance_among_best(0.53, starts, ALIKE, 5)


def test_a_rung_that_says_nothing_leaves_everyone_about_the_same_chance():
    ends = [(start, end) for start in (0.5, 0.6) for end in np.linspace(0.7, 0.8, 20)]
    starts = [start for start, _ in ends]
    low, high = (chance_among_best(start, starts, ends, 10) for start in (0.5, 0.6))
    assert 0.15 < low < high < 0.3


def test_equal_values_leave_the_chance_open():
    assert chance_among_best(0.4, [0.5] * 3, [(0.5, 0.7)] * 3, 1) == 1.0


def test_a_trial_with_little_chance_stops_and_others_continue():
    scheduler = with_ends(ALIKE)
    assert scheduler.decide(report("good", WITHIN, 0.575)) is None
    assert scheduler.decide(report("bad", WITHIN, 0.50)) == (
        "50.00% at rung 1 leaves a chance of 0.1% to end among the best 1 of 7 configs"
    )


def test_no_trial_stops_before_four_continued():
    scheduler = with_ends(ALIKE[:3])
    assert scheduler.decide(report("bad", WITHIN, 0.10)) is None
    scheduler.decide(report("fourth", WITHIN, 0.58))
    scheduler.decide(report("fourth", PASS_2, 0.78))
    assert scheduler.decide(report("worse", WITHIN, 0.05)) is not None


def test_trials_that_share_a_stage_count_once():
    scheduler = build(RUNGS)
    for number, (start, end) in enumerate(ALIKE[:3]):
        for copy in range(2):
            scheduler.decide(report(f"{number} {copy}", WITHIN, start, stage=str(number)))
            scheduler.decide(report(f"{number} {copy}", PASS_2, end, stage=str(number)))
    assert scheduler.decide(report("bad", WITHIN, 0.10)) is None


def test_a_value_that_none_exceeds_continues():
    scheduler = with_ends([(0.5, 0.9), (0.52, 0.8), (0.54, 0.7), (0.56, 0.6), (0.58, 0.5)])
    # By the line it would end below 0.5.
    assert scheduler.decide(report("highest", WITHIN, 0.58)) is None


def test_after_pass_2_the_last_value_counts():
    ends = [(0.70 + 0.02 * place, 0.70 + 0.02 * place) for place in range(6)]
    scheduler = with_ends(ends, step=PASS_2, then=PRUNED)
    assert scheduler.decide(report("bad", PASS_2, 0.60)) is not None
    # At the last step nothing is left to stop.
    assert scheduler.decide(report("bad", len(RUNGS.budgets) - 1, 0.60)) is None


def test_more_trials_stop_where_ranks_hold():
    random = np.random.default_rng(0)

    def num_stopped(correlation):
        scheduler, stopped = build(RUNGS), 0
        for number in range(200):
            start, other = random.normal(size=2)
            end = correlation * start + np.sqrt(1 - correlation**2) * other
            if scheduler.decide(report(number, WITHIN, 0.5 + 0.05 * start)):
                stopped += 1
            else:
                scheduler.decide(report(number, PASS_2, 0.7 + 0.05 * end))
        return stopped

    # 200 trials of which a quarter count as the best.
    nothing, half, nearly_all = (num_stopped(correlation) for correlation in (0.0, 0.5, 0.95))
    assert nothing < 50 < half < nearly_all < 150
    assert nearly_all > 80
