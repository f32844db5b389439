"""What a search costs, simulated: Ray's own searcher and scheduler beside autohier's."""

import re
import subprocess
import sys
from pathlib import Path

from benchmark_modules import load_benchmark

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "search_cost.py"


def test_it_prints_every_arm_and_how_many_times_dearer_it_is():
    command = [sys.executable, str(BENCHMARK), "--simulate", "--trials", "12", "--seeds", "1"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    costs = dict(re.findall(r"seed 0, ([^:]+): Cost\(epochs=(\d+)", printed))
    ratios = dict(re.findall(r"^([a-z+ ]+?) +\d+ ± 0 .* ([\d.]+) ± 0\.00$", printed, re.MULTILINE))
    assert set(costs) == set(ratios) == {"plain", "asha", "asha +", "autohier"}
    epochs = {arm: int(number) for arm, number in costs.items()}
    for arm, ratio in ratios.items():
        assert abs(float(ratio) - epochs[arm] / epochs["autohier"]) < 0.006
    # Plain trials train their pass 1 of 24 epochs and their pass 2 of 8 each for itself.
    assert epochs["plain"] >= 12 * (24 + 8)
    # Before pass 2 all trials are alike, so that the stock scheduler stops none.
    assert epochs["asha"] == epochs["plain"] > epochs["asha +"] > epochs["autohier"]


def test_arms_are_told_without_autohier_too():
    report = load_benchmark("search_cost").report
    cost = load_benchmark("search_cost").Cost
    lines = report({"plain": [cost(100, 2.0, 0.5)], "asha": [cost(50, 1.0, 0.5)]})
    assert [line.split()[:2] for line in lines[1:]] == [["plain", "100"], ["asha", "50"]]
    assert lines[1].endswith("50.00 ± 0.00" + " " * 18)


def test_a_space_whose_epochs_would_be_miscounted_is_refused():
    command = [sys.executable, str(BENCHMARK), "--space", "utd_mhad_skeleton"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "count epochs of one pass 1 without folds" in ended.stderr
