"""The benchmark of a training step, on a network and clips so small that it runs at once."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "training_step.py"


def test_it_prints_both_steps_and_their_ratio():
    options = "--device cpu --threads 1 --recognizer inflated-resnet18 --width 0.125 --size 32 --frames 2"
    command = [sys.executable, str(BENCHMARK), *options.split(), "--batch", "2", "--steps", "1"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    speeds = {
        name: float(speed)
        for name, speed in re.findall(r"^(\w+) +([\d.]+) clips/s .* TFLOP/s, .*% of", printed, re.MULTILINE)
    }
    assert set(speeds) == {"autohier", "plain"}
    ratio = re.search(r"autohier is ([\d.]+) times as fast as plain", printed)
    assert ratio is not None
    # Both are rounded where they are printed: speeds to 0.1, the ratio to 0.01.
    assert abs(speeds["autohier"] / speeds["plain"] - float(ratio[1])) < 0.02
