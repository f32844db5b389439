"""The report of the search cost benchmark, and what it refuses."""

import subprocess
import sys
from pathlib import Path

from support.benchmark_modules import load_benchmark

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "search_cost.py"


def test_arms_are_reported_without_autohier():
    report = load_benchmark("search_cost").report
    cost = load_benchmark("search_cost").Cost
    lines = report({"plain": [cost(100, 2.0, 0.5)], "asha": [cost(50, 1.0, 0.5)]})
    assert [line.split()[:2] for line in lines[1:]] == [["plain", "100"], ["asha", "50"]]
    assert lines[1].endswith("50.00 ± 0.00" + " " * 18)


def test_a_search_space_whose_epochs_would_be_miscounted_is_refused():
    command = [sys.executable, str(BENCHMARK), "--space", "utd_mhad_skeleton"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "count epochs of one pass 1 without folds" in ended.stderr
