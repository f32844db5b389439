"""The table of an estimate, from numbers chosen by hand."""

import os
from dataclasses import replace
from pathlib import Path

from autohier.config.scaling import Scaling
from autohier.data.splits import SplitSizes
from autohier.sweep.planning.simulation.regimes import B
from autohier.sweep.planning.simulation.results import EpochCosts, SimulatedSweep
from autohier.sweep.planning.summary import SweepEstimate
from support.sweep_runs.plans import make_plan
from support.sweep_runs.varied_spaces import varied_demo

GOLDEN = Path(__file__).parent / "golden" / "plan.txt"
ACCEPT = "AUTOHIER_ACCEPT_GOLDEN"
HOUR_S = 3600

SWEEP = SimulatedSweep(
    epochs=1000,
    epochs_alone=3950,
    seconds=90 * HOUR_S,
    seconds_alone=390 * HOUR_S,
    wall_s=15 * HOUR_S,
    num_stages=47,
    num_unfinished=10,
    num_trials=64,
    num_stopped=30,
    best=0.96,
    winner_stages=3,
    winner_epochs=50,
    winner_s=10 * HOUR_S,
    winner_wall_s=10 * HOUR_S,
    asks_s=(),
)


def make_estimate(folder):
    return SweepEstimate(
        plan=make_plan(folder, trials=64),
        accelerators=8,
        sizes=SplitSizes(34_272, 6_048, 16_560),
        sizes_from="the published numbers",
        costs=EpochCosts(pass_1_s=360, pass_2_s=400, pruning_s=90),
        costs_from="given",
        regime=B.resized(6_048, 0.75),
        stage_bytes=200_000_000,
        sweeps=(SWEEP, replace(SWEEP, epochs=1200, num_stopped=33, seconds=110 * HOUR_S)),
    )


def test_the_scaling_is_named(tmp_path):
    text = " ".join(replace(make_estimate(tmp_path), scaling=Scaling(8, 0.8)).text().split())
    assert "stages train on up to 8 accelerators, 6.4 times as fast as on one (given)" in text
    assert "stages train on" not in make_estimate(tmp_path).text()


def test_quantities_by_hand(tmp_path):
    # All include the refit's 10 hours and 50 epochs: 100 and 120 hours, and 400 without reuse and stopping.
    # On disk are 47 + 3 finished stages and 10 checkpoints of three times the weights: 80 * 0.2 GB.
    assert make_estimate(tmp_path).quantities == {
        "accelerator-hours": [100, 120],
        "  without reuse and stopping": [400, 400],
        "  times as many": [4, 400 / 120],
        "hours on 8 accelerators": [25, 25],
        "  utilization, %": [100 * 100 / (8 * 25), 100 * 120 / (8 * 25)],
        "GB on disk": [16, 16],
        "epochs": [1050, 1250],
        "  epochs without reuse and stopping": [4000, 4000],
        "trials stopped early": [30, 33],
    }


def test_the_text_matches_the_golden_file(tmp_path):
    text = make_estimate(tmp_path).text() + "\n"
    if os.environ.get(ACCEPT):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), (
        f"the text has changed; if that is intended, run `{ACCEPT}=1 pytest {Path(__file__).name}` "
        f"and commit {GOLDEN.name}"
    )


def test_the_ratio_is_one_if_epochs_cost_nothing(tmp_path):
    free = replace(SWEEP, seconds=0, seconds_alone=0, wall_s=0, winner_s=0)
    quantities = replace(make_estimate(tmp_path), sweeps=(free,)).quantities
    assert quantities["  times as many"] == [1]


def test_small_and_large_numbers_are_readable(tmp_path):
    text = replace(
        make_estimate(tmp_path),
        accelerators=1,
        costs=EpochCosts(pass_1_s=1.234, pass_2_s=150, pruning_s=1_000_000),
        sweeps=(replace(SWEEP, seconds=12345 * HOUR_S, wall_s=100, winner_s=0.0),),
    ).text()
    assert "12,345" in text
    assert "hours on 1 accelerator  " in text
    assert "pass 1 1.23 s, pass 2 2.5 min, pruning 11.6 days" in text


def test_every_variant_has_its_own_costs(tmp_path):
    costs = EpochCosts(pass_1_s=10, pass_2_s=20, pruning_s=30)
    text = replace(
        make_estimate(tmp_path),
        plan=make_plan(tmp_path, space=varied_demo()),
        costs={"plain": costs, "deep": replace(costs, pass_1_s=40)},
        costs_from={"plain": "measured", "deep": "also measured"},
    ).text()
    assert "an epoch of variant plain: pass 1 10 s, pass 2 20 s, pruning 30 s (measured)" in text
    assert "an epoch of variant deep: pass 1 40 s, pass 2 20 s, pruning 30 s (also measured)" in text
    assert "GB on disk: all stages counted with the size of the largest variant" in text
    assert "searched training settings: all counted with the cost of their defaults" in text


def test_rows_have_plain_names_and_units(tmp_path):
    rows = {row.quantity: (row.unit, row.mean, row.low, row.high) for row in make_estimate(tmp_path).rows()}
    assert rows["accelerator_hours"] == ("h", 110, 100, 120)
    assert rows["utilization"] == ("1", 0.55, 0.5, 0.6)
    assert rows["disk_bytes"] == ("bytes", 16e9, 16e9, 16e9)
    assert len(rows) == len(make_estimate(tmp_path).quantities) - 1  # all but the ratio of two others
