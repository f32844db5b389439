"""Sweeps whose driver dies or is stopped: what is left is run, nothing is lost, nothing is run twice."""

from __future__ import annotations

import json
import signal

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweeps import finish

LONG = ("--parallel", "1", "--set", "pass_2.epochs=12", "--set", "search.max_passes=2")
TRIALS = 4


def open_study(folder):
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name=folder.name, storage=storage)


def asked(study):
    """Without what longer chains tell of shorter ones."""
    return [trial for trial in study.trials if "derived_from" not in trial.user_attrs]


def in_the_middle(sweeps, name):
    states = list(sweeps.states(name).values())
    return "COMPLETE" in states and "RUNNING" in states


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_resume_reaches_the_number_with_the_settings_the_study_held(sweeps, stop):
    name = f"stopped-{stop.name.lower()}"
    folder = sweeps.folder / "sweeps" / name
    driver = sweeps.search(name, "--trials", str(TRIALS), *LONG)
    out, err = sweeps.stop_when(driver, stop, lambda: in_the_middle(sweeps, name))
    if stop is signal.SIGKILL:
        assert driver.returncode == -signal.SIGKILL
    else:
        assert driver.returncode == 130, out + err
        assert f"autohier resume sweeps/{name}" in out
    held = {trial.user_attrs["ask"]: trial.params for trial in asked(open_study(folder))}
    finished = [row for row in sweeps.states(name).items() if row[1] == "COMPLETE"]
    assert 1 <= len(finished) < TRIALS

    said = finish(sweeps.start("resume", name))

    trials = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    assert list(trials.index) == [f"t{ask:04d}" for ask in range(TRIALS)]
    assert (trials.state == "COMPLETE").all()
    study = open_study(folder)
    complete = [trial for trial in asked(study) if trial.state is optuna.trial.TrialState.COMPLETE]
    assert sorted(trial.user_attrs["ask"] for trial in complete) == list(range(TRIALS))
    for trial in complete:
        assert held.get(trial.user_attrs["ask"], trial.params) == trial.params
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING))
    # Only what was unfinished ran: settings told before the stop are not started again.
    assert all(f"{trial} started" not in said for trial, _ in finished)


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
