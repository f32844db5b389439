"""The benchmark of a training step, on a small network and small clips."""

import re

import pytest

from support.benchmark_modules import load_benchmark

BENCHMARK = load_benchmark("training_step")


@pytest.mark.parametrize(
    ("recognizer", "shape"),
    [
        ("inflated-resnet18 --frames 2 --size 32", "2 x 32 x 32"),
        ("slowfast-resnet50 --frames 8 --size 32", "8 x 32 x 32"),
        ("three-pathway --frames 32 --size 32 --freeze event set", "32 x 32 x 32"),
        ("st-gcn --frames 2 --layout coco-17", "2 x 17 x 3"),
        ("ctr-gcn --frames 2 --persons 1", "2 x 25 x 3"),
        ("aagcn --frames 2 --persons 1", "2 x 25 x 3"),
        ("ms-g3d --frames 8 --layout coco-17", "8 x 17 x 3"),
        ("two-stream --frames 1 --size 32 --pose-frames 5", "1 x 32 x 32 and 5 x 25 x 3"),
        ("rgbpose-conv3d --frames 1 --size 32", "1 x 32 x 32 and 4 x 8 x 8"),
        ("i3d --frames 2 --size 48", "2 x 48 x 48"),
        (
            "part-attention-i3d --frames 2 --size 48 --pose-frames 3",
            f"{'2 x 48 x 48 and ' * 3}3 x 25 x 3",
        ),
    ],
)
def test_it_prints_both_steps_and_their_ratio(capsys, monkeypatch, recognizer, shape):
    options = f"--device cpu --threads 1 --width 0.125 --recognizer {recognizer}"
    monkeypatch.setattr("sys.argv", ["training_step.py", *options.split(), "--batch", "2", "--steps", "1"])
    BENCHMARK.main()
    printed = capsys.readouterr().out
    assert f"on cpu, 2 clips of {shape}, " in printed
    names = re.findall(r"^(\w+) +[\d.]+ clips/s .* TFLOP/s, .*$", printed, re.MULTILINE)
    assert names == ["autohier", "plain"]
    assert re.search(r"autohier is [\d.]+ times as fast as plain", printed)


def test_a_report_by_hand():
    # 2 clips of 1 G multiply-adds are 2 * 3 * 2 = 12 G operations: 12 GFLOP/s in 1 s, 6 in 2 s.
    autohier, plain, ratio = BENCHMARK.report({"autohier": 1.0, "plain": 2.0}, 2, 10**9, 24e9)
    assert autohier.split() == [
        *("autohier", "2.0", "clips/s", "500.000", "ms/clip", "0.012", "TFLOP/s,"),
        *("50.0%", "of", "the", "device's", "0.024"),
    ]
    assert plain.split()[1:5:3] == ["1.0", "ms/clip"]
    assert ratio == "autohier is 2.00 times as fast as plain"


def test_steps_alternate_after_the_warm_up():
    turns = []

    class Fake:
        def __init__(self, name):
            self.name = name

        def seconds(self):
            turns.append(self.name)
            return float(len(turns))

    times = BENCHMARK.time_steps({"a": Fake("a"), "b": Fake("b")}, 3, num_warm_up=1)
    assert turns == ["a", "b", "a", "b", "a", "b", "a", "b"]
    # Steps after the warm-up: a takes 3, 5 and 7, b takes 4, 6 and 8.
    assert times == pytest.approx({"a": 5.0, "b": 6.0})
