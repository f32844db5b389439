"""Tests of trials that need the same stage at the same time: one of them trains it."""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager, suppress

import pandas as pd
import pytest

from autohier.digest import digest
from support.sources.tiny_clips import SPACE_FILE
from support.training.kept_epochs import count_epochs
from support.waiting import PATIENCE_S

EPOCHS = 30
"""Epochs of pass 2: the trial that trains it is stopped for a moment in their midst."""
TWIN = """
[[initial]]
source = "another ratio"
superclasses = [2, 3]
weight_ratio = 0.5
scope = "layerwise"
ratio = 0.1
passes = 1
"""


@pytest.fixture
def start(sweeps):
    """Starts a sweep of two trials in parallel that share their pass 2."""
    space = sweeps.folder / "tiny.toml"
    space.write_text(SPACE_FILE.read_text() + TWIN)
    fixed = ("--trials", "2", "--parallel", "2", "--scheduler", "none", "--set", "search.weight_ratios=[0.5]")
    # Without clean validation there is no refit, which the trials would not share.
    fixed += ("--set", "protocol.validation=paper")
    fixed += ("--set", f"pass_2.epochs={EPOCHS}", "--set", "search.ratios=[0.1, 0.25]")
    return lambda name, *options: sweeps.search(name, *fixed, *options, space=space)


def read_until(driver, pattern):
    """Read a driver's output up to the line that contains a pattern; return the match."""
    for line in driver.stdout:
        if found := re.search(pattern, line):
            return found
    pytest.fail(f"the driver ended without {pattern!r}: {driver.stderr.read()}")


@contextmanager
def stopped_holder(driver, folder):
    """Stop the trial that trains pass 2, after an epoch and until the other one waits for it.

    However long the other trial takes to start, pass 2 is not finished before. Yields the waiting trial, the
    stopped one and its process, which continues when the block ends.
    """
    waits, trains = r"(t000.) pass 2: waits for (t000.)", r"(t000.) pass 2, epoch \d"
    found = read_until(driver, f"{waits}|{trains}")
    holder = found[2] or found[3]
    if found[2]:
        read_until(driver, trains)
    process = pid_of(folder, holder)
    os.kill(process, signal.SIGSTOP)
    try:
        yield found[1] or read_until(driver, waits)[1], holder, process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def wait_for_success(driver):
    assert driver.wait(PATIENCE_S) == 0, driver.stderr.read()


def effort_by_trial(folder):
    """Return, by trial, the epochs that it trained itself, and the pruning epochs of its stages."""
    trials = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    assert (trials.state == "COMPLETE").all()
    stages = pd.read_parquet(folder / "records" / "stages")
    pruning = stages[stages.kind == "prune"].groupby("trial").num_epochs.sum()
    return trials.epochs_computed, pruning


def checkpoint_epochs(sweeps):
    """Return the number of epochs in the epoch checkpoint of pass 2."""
    (path,) = (sweeps.folder / "sweeps" / "stages" / "partial").glob("pass-2-*")
    return count_epochs(path)


def pid_of(folder, trial):
    """Return the id of the process that runs a trial, from the name of its curves."""
    *_, curves = sorted((folder / "tensorboard" / trial).glob("*.curves"))
    return int(re.search(r"\.(\d+)\.[0-9a-f]{8}\.curves$", curves.name)[1])


def test_a_shared_stage_is_trained_once_even_if_the_lease_table_is_lost(sweeps, start):
    import ray

    folder = sweeps.folder / "sweeps" / "once"
    driver = start("once")
    with stopped_holder(driver, folder) as (waiter, holder, _):
        pass
    table = f"leases-{digest(str((sweeps.folder / 'sweeps' / 'stages').resolve()))[:16]}"
    ray.kill(ray.get_actor(table, namespace="autohier"))
    wait_for_success(driver)

    computed, pruning = effort_by_trial(folder)
    assert computed[holder] == EPOCHS + pruning[holder]
    assert computed[waiter] == pruning[waiter]


def test_the_waiting_trial_continues_the_stage_of_a_killed_one(sweeps, start):
    folder = sweeps.folder / "sweeps" / "killed"
    driver = start("killed")
    with stopped_holder(driver, folder) as (waiter, holder, process):
        os.kill(process, signal.SIGKILL)
    kept = checkpoint_epochs(sweeps)
    read_until(driver, rf"{waiter} pass 2, epoch")
    wait_for_success(driver)

    computed, pruning = effort_by_trial(folder)
    assert 0 < kept < EPOCHS
    assert computed[waiter] == EPOCHS - kept + pruning[waiter]
    # Its own epochs stay its own; the one in which it was killed may count for both.
    assert computed[holder] - pruning[holder] - kept in {0, 1}
