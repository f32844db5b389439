"""Trials that fail one after the other: the sweep stops by itself, and no setting is lost to the cause."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from autohier.data.store.paths import shard_path
from sweeps import PATIENCE_S, finish
from tiny_clips import SPACE_FILE

JPEG_BEGINS = b"\xff\xd8\xff"
RATIOS = (0.25, 1.0, 2.0)
TRIALS = 1 + len(RATIOS)
# None of them finds a pass 2 in the store, so that all must read clips.
KNOWN = """
[[known]]
source = "a ratio of its own"
superclasses = [2, 3]
weight_ratio = {}
scope = "by-layer"
ratio = 0.25
passes = 0
"""


def failed(driver):
    """Wait for a command that must fail; what it said on standard error."""
    _, err = driver.communicate(timeout=2 * PATIENCE_S)
    assert driver.returncode == 2, err
    return err


@pytest.fixture
def breaking(sweeps, tmp_path):
    """Sweeps on clips of their own, and the one shard of those."""
    data = shutil.copytree(sweeps.data, tmp_path / "data")
    shard = shard_path(data / "demo", 0)
    return replace(sweeps, data=data), shard


def test_it_stops_with_the_reason_and_goes_on_when_the_cause_is_mended(breaking):
    sweeps, shard = breaking
    folder = sweeps.folder / "sweeps" / "breaks"
    space = sweeps.folder / "tiny.toml"
    space.write_text("".join((SPACE_FILE.read_text(), *(KNOWN.format(ratio) for ratio in RATIOS))))
    ranges = ("--set", "search.max_passes=2", "--set", f"search.weight_ratios={[0.5, *RATIOS]}")
    finish(sweeps.search("breaks", "--trials", "1", "--parallel", "2", *ranges, space=space))
    whole = shard.read_bytes()
    shard.write_bytes(whole.replace(JPEG_BEGINS, b"\0\0\0"))

    told = failed(sweeps.start("resume", "breaks", "--trials", str(TRIALS), "--failures-in-a-row", "2"))

    assert told.count("\n") == 1
    assert "in a row (bad data), the last with 'frame " in told
    assert "does not decode" in told
    assert "'autohier resume sweeps/breaks'" in told
    before = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    taken_back = before[before.state == "TAKEN BACK"]
    # Two were enough; another one was running.
    assert len(taken_back) in (2, 3)
    assert (taken_back.failure == "bad data").all()
    assert before.state["t0000"] == "COMPLETE"
    assert pd.isna(before.failure["t0000"])
    assert "failed (bad data): frame" in (folder / "driver.log").read_text()
    status = finish(sweeps.start("status", "breaks"))
    assert f"1 of {TRIALS} settings tried: 1 complete, 0 stopped, 0 failed" in status
    assert f"{len(taken_back)} taken back to run again" in status

    shard.write_bytes(whole)
    said = finish(sweeps.start("resume", "breaks"))

    assert f"taking up {len(taken_back)} settings" in said
    after = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    assert sorted(after.index) == [f"t{ask:04d}" for ask in range(TRIALS)]
    assert (after.state == "COMPLETE").all()
    assert after.failure.isna().all()
    drawn = ["superclasses", "weight_ratio", "scope", "ratio", "passes", "source"]
    pd.testing.assert_frame_equal(after.loc[before.index, drawn], before[drawn])
    assert f"{TRIALS} of {TRIALS} settings tried" in finish(sweeps.start("status", "breaks"))
