"""Trials that need the same stage at the same time: one trains it, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pandas as pd
import pytest

from autohier.core.training import checkpoint
from autohier.digest import digest
from sweeps import PATIENCE_S
from tiny_clips import SPACE_FILE

EPOCHS = 30
"""Of pass 2: it takes longer than the second trial needs to start."""
TWIN = """
[[known]]
source = "another ratio"
superclasses = [2, 3]
weight_ratio = 0.5
scope = "by-layer"
ratio = 0.1
passes = 1
"""


@pytest.fixture
def start(sweeps):
    """Starts a sweep of two settings that share their pass 2, and runs both at a time."""
    space = sweeps.folder / "tiny.toml"
    space.write_text(SPACE_FILE.read_text() + TWIN)
    fixed = ("--trials", "2", "--parallel", "2", "--stopping", "none", "--set", "search.weight_ratios=[0.5]")
    # Without clean validation there is no refit, which nobody shares.
    fixed += ("--set", "protocol.validation=paper")
    fixed += ("--set", f"pass_2.epochs={EPOCHS}", "--set", "search.ratios=[0.1, 0.25]")
    return lambda name, *options: sweeps.search(name, *fixed, *options, space=space)


def read_until(driver, pattern):
    """What a driver says up to the line that fits, and what the pattern finds there."""
    for line in driver.stdout:
        if found := re.search(pattern, line):
            return found
    pytest.fail(f"the driver ended without {pattern!r}: {driver.stderr.read()}")


def ended(driver):
    assert driver.wait(2 * PATIENCE_S) == 0, driver.stderr.read()


def counted(folder):
    """By trial: epochs trained in its own processes and, of those of its stages, epochs of pruning."""
    trials = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    assert (trials.state == "COMPLETE").all()
    stages = pd.read_parquet(folder / "records" / "stages")
    pruning = stages[stages.kind == "prune"].groupby("trial").num_epochs.sum()
    return trials.epochs_computed, pruning


def kept_epochs(sweeps):
    """How many epochs of pass 2 lie in its checkpoint."""
    (path,) = (sweeps.folder / "sweeps" / "stages" / "partial").glob("pass-2-*")
    return len(json.loads(checkpoint._read(path)["told"].numpy().tobytes())["epochs"])


def pid_of(folder, trial):
    """The process that runs a trial now, by the name of the curves it writes."""
    *_, curves = sorted((folder / "tensorboard" / trial).glob("*.curves"))
    return int(re.search(r"\.(\d+)\.[0-9a-f]{8}\.curves$", curves.name)[1])


def test_a_shared_stage_is_trained_once_also_where_the_book_of_leases_is_lost(sweeps, start):
    import ray

    driver = start("once")
    waiter, holder = read_until(driver, r"(t000.) pass 2: waits for (t000.)").groups()
    book = f"leases-{digest(str((sweeps.folder / 'sweeps' / 'stages').resolve()))[:16]}"
    ray.kill(ray.get_actor(book, namespace="autohier"))
    ended(driver)

    computed, pruning = counted(sweeps.folder / "sweeps" / "once")
    assert computed[holder] == EPOCHS + pruning[holder]
    assert computed[waiter] == pruning[waiter]


def test_who_waits_trains_on_where_the_one_who_trained_was_killed(sweeps, start):
    folder = sweeps.folder / "sweeps" / "killed"
    driver = start("killed")
    waiter, holder = read_until(driver, r"(t000.) pass 2: waits for (t000.)").groups()
    read_until(driver, rf"{holder} pass 2, epoch \d")
    pid = pid_of(folder, holder)
    os.kill(pid, signal.SIGKILL)
    kept = kept_epochs(sweeps)
    killed_at = time.monotonic()
    read_until(driver, rf"{waiter} pass 2, epoch")
    # Long before the lease would have run out.
    assert time.monotonic() - killed_at < 30
    ended(driver)

    computed, pruning = counted(folder)
    assert 0 < kept < EPOCHS
    assert computed[waiter] == EPOCHS - kept + pruning[waiter]
    assert computed[holder] == pruning[holder]
