"""Sweeps that are stopped before their trials, and what they are not taken up with; see also test_faults."""

from __future__ import annotations

import json
import re
import signal

import pytest

from tiny_clips import SPACE_FILE


def test_sigterm_before_any_trial_says_how_to_go_on(sweeps):
    driver = sweeps.search("early", "--trials", "1", "--set", "pass_1.epochs=500", "--set", "known=[]")
    lock = sweeps.folder / "sweeps" / "early" / "driver.lock"

    out, err = sweeps.stop_when(driver, signal.SIGTERM, lock.exists)

    assert driver.returncode == 130, out + err
    assert "autohier resume sweeps/early" in out
    assert not err


def test_a_sweep_does_not_go_on_with_other_clips(sweeps, autohier, monkeypatch):
    driver = sweeps.search("moved", "--trials", "1", "--set", "pass_1.epochs=500")
    journal = sweeps.folder / "sweeps" / "moved" / "study.journal"
    sweeps.stop_when(driver, signal.SIGINT, journal.exists)
    plan_file = sweeps.folder / "sweeps" / "moved" / "sweep.json"
    content = json.loads(plan_file.read_text())
    content["plan"]["clips_fingerprint"] = "0" * 64
    plan_file.write_text(json.dumps(content))

    monkeypatch.chdir(sweeps.folder)
    said = autohier("resume", "moved")

    assert "must be those that the sweep began with" in said.error


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--storage", "foo://bar"), "must be an Optuna storage URL that can be opened"),
        (("--ray-address", "127.0.0.1:1"), "must be a cluster that can be reached"),
    ],
)
def test_a_sweep_that_cannot_begin_leaves_its_name_free(autohier, tiny_data, tmp_path, wrong, told):
    def search():
        where = ("--data", tiny_data, "--out", tmp_path / "out", "--trials", "1", "--name", "x")
        return autohier("search", SPACE_FILE, *where, *wrong).error

    folder = tmp_path / "out" / "x"
    assert re.search(told, search())
    assert not folder.exists()
    folder.mkdir()
    (folder / "somebody's").touch()
    assert re.search(told, search())
    assert [path.name for path in folder.iterdir()] == ["somebody's"]
