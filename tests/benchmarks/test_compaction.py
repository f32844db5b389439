"""The compaction benchmark: its table, on a small network and clip."""

import re
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from support.benchmark_modules import load_benchmark

BENCHMARK = load_benchmark("compaction")


@pytest.mark.parametrize("clock", ["processor", "wall"])
def test_it_prints_one_line_for_each_ratio(capsys, clock):
    options = (
        f"--recognizer inflated-resnet18 --width 0.125 --shape 3 2 16 16 --ratios 0.2 0.6 --clock {clock}"
    )
    BENCHMARK.main([*options.split(), "--device", "cpu", "--rounds", "2", "--multiple", "8"])
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == (
        "inflated-resnet18 x 0.125 on cpu, 1 clips of 3 x 2 x 16 x 16, median of 2 rounds, 1 threads, "
        f"{clock} time"
    )
    number = r"([\d.]+)"
    pattern = (
        rf"ratio {number}: per clip masked [\d.]+ ms, compacted [\d.]+ ms \([\d.]+\), "
        rf"to 8 [\d.]+ ms \([\d.]+\); multiply-adds {number} and {number} of the masked"
    )
    printed = [[float(each) for each in re.fullmatch(pattern, line).groups()] for line in lines]
    assert [ratio for ratio, *_ in printed] == [0.2, 0.6]
    for _, left, left_to_8 in printed:
        assert left < left_to_8 <= 1
    assert printed[0][1] > printed[1][1]


def test_a_line_relates_times_to_the_masked_network():
    seconds = {"masked": 0.004, "compacted": 0.001, "to 16": 0.002}
    assert BENCHMARK.line(0.5, seconds, [0.25, 0.3]) == (
        "ratio 0.50: per clip masked 4.00 ms, compacted 1.00 ms (0.25), to 16 2.00 ms (0.50); "
        "multiply-adds 0.25 and 0.30 of the masked"
    )


def test_networks_take_turns_and_the_first_round_does_not_count(monkeypatch):
    turns = []
    monkeypatch.setattr(BENCHMARK, "classify", lambda network, *_: turns.append(network))
    ticks = count()
    # Every reading of the clock is one second later: a turn takes one second, half a second a clip.
    seconds = BENCHMARK.time_in_turns(
        {"a": "A", "b": "B"}, torch.zeros(2, 1), SimpleNamespace(), 3, lambda: next(ticks)
    )
    assert turns == ["A", "B"] * 4
    assert seconds == {"a": 0.5, "b": 0.5}
