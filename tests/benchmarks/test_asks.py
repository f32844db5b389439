"""The benchmark of sampling and recording trials, on few trials."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "asks.py"


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["1", "3"])
def test_both_studies_hold_the_same_number_of_observations(parallel: str) -> None:
    command = [sys.executable, str(BENCHMARK), "--trials", "6", "--sampler", "random", "--parallel", parallel]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # The only checkpoint has not grown since the first.
    row = re.search(r"^ +6 +(\d+) +[\d.]+ ms +[\d.]+ ms .* 0 MiB +0 MiB$", printed, re.MULTILINE)
    assert row is not None
    # HAC's initial configs come first: 4 passes each, with all their shorter chains.
    assert int(row[1]) == 6 * 5
    assert "from 6 to 6 trials, the time to sample grew 1.0 times" in printed
    assert f"{parallel} running" in printed
    assert re.search(
        r"^in the end: \d+ trials/s .*, \d+ MiB; plain \d+ trials/s .*, \d+ MiB$", printed, re.MULTILINE
    )
