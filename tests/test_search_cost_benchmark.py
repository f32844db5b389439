"""What a search costs, simulated: Ray's own searcher and scheduler beside autohier's."""

import re
import subprocess
import sys
from pathlib import Path

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
