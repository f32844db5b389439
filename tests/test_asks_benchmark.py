"""The benchmark of asks and tells, on so few trials that it runs at once."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "asks.py"


def test_both_studies_hold_as_many_observations():
    command = [sys.executable, str(BENCHMARK), "--trials", "6", "--sampler", "random"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # A single standing has grown by nothing since the first.
    row = re.search(r"^ +6 +(\d+) +[\d.]+ ms +[\d.]+ ms .* 0 MiB +0 MiB$", printed, re.MULTILINE)
    assert row is not None
    # The known settings of HAC come first: 4, 4, 4, 4, 6 and 4 passes, each with all of its shorter chains.
    assert int(row[1]) == 5 + 5 + 5 + 5 + 7 + 5
    assert "from 6 to 6 trials an ask grew 1.0 times" in printed
