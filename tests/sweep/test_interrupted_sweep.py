"""Sweeps whose driver dies or is stopped: what is left is run, nothing is lost, nothing is run twice."""

from __future__ import annotations

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
    held = {trial.user_attrs["ask"]: trial.params for trial in open_study(folder).trials}
    finished = [row for row in sweeps.states(name).items() if row[1] == "COMPLETE"]
    assert 1 <= len(finished) < TRIALS

    said = finish(sweeps.start("resume", name))

    trials = pd.read_parquet(folder / "records" / "trials").set_index("trial")
    assert list(trials.index) == [f"t{ask:04d}" for ask in range(TRIALS)]
    assert (trials.state == "COMPLETE").all()
    study = open_study(folder)
    complete = [trial for trial in study.trials if trial.state is optuna.trial.TrialState.COMPLETE]
    assert sorted(trial.user_attrs["ask"] for trial in complete) == list(range(TRIALS))
    for trial in complete:
        assert held.get(trial.user_attrs["ask"], trial.params) == trial.params
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING))
    # Only what was unfinished ran: settings told before the stop are not started again.
    assert all(f"{trial} started" not in said for trial, _ in finished)
