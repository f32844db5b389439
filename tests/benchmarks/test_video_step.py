"""benchmarks/video_step.py: the comparison with pytorchvideo, without that package."""

import pytest
from torch import nn

from support.benchmark_modules import load_benchmark


@pytest.fixture(scope="module")
def video_step():
    return load_benchmark("video_step")


def test_the_ratio_is_that_of_the_steps(video_step):
    lines = video_step.report({"pytorchvideo": 3.0, "autohier": 2.0}, 4)
    assert lines[0].split() == ["pytorchvideo", "3000", "ms", "a", "step", "1.33", "clips/s"]
    assert lines[-1] == "autohier is 1.50 times as fast as pytorchvideo"


def test_networks_of_other_sizes_are_not_compared(video_step):
    heads = nn.Linear(7, 60)
    same = {"pytorchvideo": nn.Linear(5, 4), "autohier": nn.Sequential(nn.Linear(5, 4), heads)}
    assert video_step.check_equal(same) == "24 parameters each, without the heads (0 differ)"
    with pytest.raises(ValueError, match="must have the same parameters"):
        video_step.check_equal({"pytorchvideo": nn.Linear(5, 3), "autohier": nn.Linear(5, 4)})
