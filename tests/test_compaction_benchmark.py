"""The benchmark of compaction, on a network and clips so small that it runs at once."""

import re

import pytest

from benchmark_modules import load_benchmark


@pytest.mark.parametrize("clock", ["processor", "wall"])
def test_it_prints_the_times_beside_the_multiply_adds(capsys, clock):
    options = (
        f"--recognizer inflated-resnet18 --width 0.125 --shape 3 2 16 16 --ratios 0.2 0.6 --clock {clock}"
    )
    load_benchmark("compaction").main(
        [*options.split(), "--device", "cpu", "--rounds", "2", "--multiple", "8"]
    )
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == (
        "inflated-resnet18 x 0.125 on cpu, 1 clips of 3 x 2 x 16 x 16, median of 2 rounds, 1 threads, "
        f"{clock} time"
    )
    number = r"([\d.]+)"
    pattern = (
        rf"ratio {number}: per clip masked {number} ms, compacted {number} ms \({number}\), "
        rf"to 8 {number} ms \({number}\); multiply-adds {number} and {number} of the masked"
    )
    found = [[float(each) for each in re.fullmatch(pattern, line).groups()] for line in lines]
    assert [each[0] for each in found] == [0.2, 0.6]
    for _, masked, compacted, share, to_8, share_to_8, left, left_to_8 in found:
        # Times are rounded to 0.01 ms where they are printed, shares to 0.01.
        assert compacted / masked == pytest.approx(share, abs=0.01 + 0.01 / masked)
        assert to_8 / masked == pytest.approx(share_to_8, abs=0.01 + 0.01 / masked)
        assert left < left_to_8 <= 1
    assert found[0][6] > found[1][6]
