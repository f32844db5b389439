"""The benchmark of trained searches: its clips are the demo's, and a search of two arms is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autohier.data.datasets.demo import generate
from support.benchmark_modules import FOLDER, load_benchmark


def test_its_skeletons_are_those_of_the_demo(tmp_path: Path) -> None:
    demo, own = tmp_path / "demo", tmp_path / "own"
    demo.mkdir()
    own.mkdir()
    generate._record_take(demo, 0, generate._Take(subject=3, replication=2, label=4))
    load_benchmark("search_trained")._film(own, 3, 2, 4)
    files = sorted(own.iterdir())
    assert [file.name for file in files] == [f"S002C00{camera}P003R002A005.skeleton" for camera in (1, 2, 3)]
    for file in files:
        assert file.read_bytes() == (demo / file.name).read_bytes()


@pytest.mark.slow
def test_searches_are_trained_and_kept(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, str(FOLDER / "search_trained.py"), "--seeds", "1", "--trials", "4"]
    command += ["--arms", "plain", "ours-none", "--fresh", "1"]
    command += ["--folder", str(tmp_path / "trained"), "--results", str(results)]
    subprocess.run(command, check=True, capture_output=True)
    plain, ours = json.loads(results.read_text())
    # Plain trains pass 1 of 6 epochs and pass 2 of 2 in each of four trials.
    assert plain["search_epochs"] == plain["uncached_epochs"] >= 4 * (6 + 2)
    assert ours["search_epochs"] < ours["uncached_epochs"]
    assert plain["first"] == ours["first"]
    for one in (plain, ours):
        for delivery in one["delivered"].values():
            # 12 classes in 3 views of the fresh subject, and 72 validation clips.
            assert 36 * delivery["true"] == pytest.approx(round(36 * delivery["true"]), abs=1e-3)
            assert 72 * delivery["observed"] == pytest.approx(round(72 * delivery["observed"]), abs=1e-3)
    before = results.read_text()
    subprocess.run(command, check=True, capture_output=True)
    assert results.read_text() == before
