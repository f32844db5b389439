"""Tests of the failure limit: the sweep stops by itself, and its failed trials run again when resumed."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from autohier.data.store.paths import shard_path
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.sweeps import finish
from support.waiting import PATIENCE_S

JPEG_BEGINS = b"\xff\xd8\xff"
RATIOS = (0.25, 1.0, 2.0)
TRIALS = 1 + len(RATIOS)
# Each has a pass 2 of its own, so that all must read clips.
INITIAL = """
[[initial]]
source = "another ratio"
superclasses = [2, 3]
weight_ratio = {}
scope = "layerwise"
ratio = 0.25
passes = 0
"""


def failed(driver):
    """Wait for a command that must fail; return its standard error."""
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 2, err
    return err


@pytest.fixture
def breaking(sweeps, tmp_path):
    """Sweeps on a copy of the clips, and the only shard of the copy."""
    data = shutil.copytree(sweeps.data, tmp_path / "data")
    shard = shard_path(data / "demo", 0)
    return replace(sweeps, data=data), shard


def test_it_stops_with_the_reason_and_resumes_after_the_fix(breaking):
    sweeps, shard = breaking
    folder = sweeps.folder / "sweeps" / "breaks"
    space = sweeps.folder / "tiny.toml"
    space.write_text("".join((SPACE_FILE.read_text(), *(INITIAL.format(ratio) for ratio in RATIOS))))
    ranges = ("--set", "search.max_passes=2", "--set", f"search.weight_ratios={[0.5, *RATIOS]}")
    finish(sweeps.search("breaks", "--trials", "1", "--parallel", "2", *ranges, space=space))
    whole = shard.read_bytes()
    shard.write_bytes(whole.replace(JPEG_BEGINS, b"\0\0\0"))

    error = failed(sweeps.start("resume", "breaks", "--trials", str(TRIALS), "--failures-in-a-row", "2"))

    assert error.count("\n") == 1
    assert "failures (bad data), the last with 'the shard " in error
    assert "must match its digest" in error
    assert "'autohier resume sweeps/breaks'" in error
    before = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    requeued = before[before.state == "REQUEUED"]
    # Two reach the limit; a third one was running.
    assert len(requeued) in (2, 3)
    assert (requeued.failure == "bad data").all()
    assert before.state["t0000"] == "COMPLETE"
    assert pd.isna(before.failure["t0000"])
    assert "failed (bad data): the shard" in (folder / "driver.log").read_text()
    status = finish(sweeps.start("status", "breaks"))
    assert f"1 of {TRIALS} trials finished: 1 complete, 0 stopped, 0 failed" in status
    assert f"{len(requeued)} requeued" in status

    shard.write_bytes(whole)
    out = finish(sweeps.start("resume", "breaks"))

    assert f"running {len(requeued)} unfinished trials of an earlier driver again" in out
    after = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    assert sorted(after.index) == [f"t{ask:04d}" for ask in range(TRIALS)]
    assert (after.state == "COMPLETE").all()
    assert after.failure.isna().all()
    sampled = ["superclasses", "weight_ratio", "scope", "ratio", "passes", "source"]
    pd.testing.assert_frame_equal(after.loc[before.index, sampled], before[sampled])
    assert f"{TRIALS} of {TRIALS} trials finished" in finish(sweeps.start("status", "breaks"))
