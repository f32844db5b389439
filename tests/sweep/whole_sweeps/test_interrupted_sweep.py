"""Tests of sweeps that end before their first trial, and of resuming them; see also test_faults."""

from __future__ import annotations

import json
import re
import signal

import pytest

from support.sources.tiny_clips import SPACE_FILE


def test_sigterm_before_the_first_trial_leaves_a_resumable_sweep(sweeps):
    driver = sweeps.search("early", "--trials", "1", "--set", "pass_1.epochs=500", "--set", "initial=[]")
    lock = sweeps.folder / "sweeps" / "early" / "driver.lock"

    out, err = sweeps.stop_when(driver, signal.SIGTERM, lock.exists)

    assert driver.returncode == 143, out + err
    assert "stopping; a second signal" in out
    assert "interrupted after 0 of 1 trial" in out
    assert "autohier resume sweeps/early" in out
    assert not err


def test_a_sweep_is_not_resumed_with_other_clips(sweeps, autohier, monkeypatch):
    driver = sweeps.search("moved", "--trials", "1", "--set", "pass_1.epochs=500")
    journal = sweeps.folder / "sweeps" / "moved" / "study.journal"
    sweeps.stop_when(driver, signal.SIGINT, journal.exists)
    plan_file = sweeps.folder / "sweeps" / "moved" / "sweep.json"
    content = json.loads(plan_file.read_text())
    content["plan"]["clips_fingerprint"] = "0" * 64
    plan_file.write_text(json.dumps(content))

    monkeypatch.chdir(sweeps.folder)
    ended = autohier("resume", "moved")

    assert "must be those that the sweep started with" in ended.error


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (("--storage", "foo://bar"), "must be an Optuna storage URL that can be opened"),
        (("--ray-address", "127.0.0.1:1"), "must be a reachable Ray cluster"),
        ((), "Ray needs a folder that you can write to.*/proc/x: No such file.*set RAY_TMPDIR"),
    ],
)
def test_a_sweep_that_cannot_start_leaves_its_name_free(
    autohier, tiny_data, tmp_path, monkeypatch, wrong, expected
):
    monkeypatch.setenv("RAY_TMPDIR", "/proc/x")

    def search():
        options = ("--data", tiny_data, "--out", tmp_path / "out", "--trials", "1", "--name", "x")
        return autohier("search", SPACE_FILE, *options, *wrong).error

    folder = tmp_path / "out" / "x"
    assert re.search(expected, search())
    assert not folder.exists()
    folder.mkdir()
    (folder / "of another program").touch()
    assert re.search(expected, search())
    assert [path.name for path in folder.iterdir()] == ["of another program"]
