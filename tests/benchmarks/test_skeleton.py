"""The benchmark of ST-GCN++, on a small network and small clips."""

import re

import pytest
import torch
from torch import nn

from support.benchmark_modules import FOLDER, load_benchmark


def test_it_prints_the_speeds_and_their_ratio(capsys, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    sizes = "--layout coco-17 --width 0.125 --persons 1 --frames 8 --batch 4 --steps 3 --threads 1"
    load_benchmark("skeleton").main([*sizes.split(), "--clock", "processor"])
    title, equal, plain, own, ratio = capsys.readouterr().out.splitlines()
    assert title.startswith("st-gcn++ x 0.125, 4 clips of 1 x 8 x 17 x 3, ")
    assert title.endswith("median of 3 steps, 1 threads, processor time")
    assert float(re.fullmatch(r"scores differ by (\S+) at most", equal)[1]) < 1e-4
    for name, line in (("plain", plain), ("autohier", own)):
        assert re.fullmatch(rf"{name} +[\d.]+ clips/s", line)
    assert re.fullmatch(r"autohier is [\d.]+ times as fast as plain", ratio)


def test_a_report_by_hand():
    # 8 clips in 0.5 and in 0.25 seconds.
    assert load_benchmark("skeleton").report({"plain": 0.5, "autohier": 0.25}, 8) == [
        "plain         16.00 clips/s",
        "autohier      32.00 clips/s",
        "autohier is 2.00 times as fast as plain",
    ]


def test_networks_that_differ_are_not_timed():
    networks = {"plain": nn.ModuleList(), "autohier": nn.ModuleList()}
    for number, network in enumerate(networks.values()):
        network.forward = lambda clips, number=number: [clips + 2e-4 * number]
    with pytest.raises(
        ValueError, match=r"both networks must return the same scores, but they differ by 0\.0002"
    ):
        load_benchmark("skeleton").check_equal(networks, torch.zeros(1, 2))
