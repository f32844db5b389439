"""Tests of a study whose database goes away: every change arrives once, and one line says so."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import get_storage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from autohier.sweep.study.storages import patient_storage
from autohier.sweep.study.storages.patient_storage import Patience, PatientStorage, StorageLostError
from autohier.sweep.study.study import Measurements, SweepStudy
from support.cluster.postgresql import Server, missing_for_postgresql, open_server
from support.sweep_runs.plans import make_plan


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_storage, "_PAUSES_S", (0.05,))
    monkeypatch.setattr(patient_storage, "_POLL_S", 0.01)
    monkeypatch.setattr("optuna.storages._rdb.storage.time.sleep", lambda _: None)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def storage(tmp_path: Path, lines: list[str]) -> PatientStorage:
    return PatientStorage(f"sqlite:///{tmp_path / 'study.db'}", Patience(lines.append))


def lose_connection(
    storage: PatientStorage, monkeypatch: pytest.MonkeyPatch, *, times: int, after: bool
) -> None:
    """Lose the next connections when they write, before or after the database has written."""
    dialect, left = storage.engine.dialect, [times]
    commit = dialect.do_commit

    def do_commit(connection: Any) -> None:
        if after or not left[0]:
            commit(connection)
        if left[0]:
            left[0] -= 1
            raise sqlite3.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(dialect, "do_commit", do_commit)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("times", [1, 7])
def test_every_change_arrives_once(
    tmp_path: Path,
    storage: PatientStorage,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    after: bool,
    times: int,
) -> None:
    """Seven lost connections are more than Optuna itself repeats."""
    study = SweepStudy(make_plan(tmp_path, trials=3), storage)
    lose_connection(storage, monkeypatch, times=times, after=after)
    sampled = study.next_trial()
    assert sampled is not None
    lose_connection(storage, monkeypatch, times=times, after=after)
    study.record_complete(sampled, Measurements([0.5, 0.75], {0: 0.5}), {"stages": []})
    trials = get_storage(storage).get_all_trials(study._id)
    assert [(trial.state, trial.value) for trial in trials] == [(TrialState.COMPLETE, 0.75)]
    assert study.num_finished() == 1
    second = study.next_trial()
    assert second is not None
    assert second.name == "t0001"
    assert "trying again for 10 min: server closed the connection unexpectedly" in lines[0]
    assert "answers again" in lines[1]


def test_the_end_of_a_trial_counts_once_it_is_written(
    storage: PatientStorage, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = storage.create_new_trial(storage.create_new_study([StudyDirection.MAXIMIZE], "study"))
    lose_connection(storage, monkeypatch, times=1, after=True)
    assert storage.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
    assert storage.get_trial(trial).values == [0.5]
    with pytest.raises(RuntimeError, match="finished"):
        storage.set_trial_state_values(trial, TrialState.FAIL)
    assert len(lines) == 2


@pytest.mark.parametrize(("limit_s", "is_over"), [(0.1, False), (600.0, True)])
def test_patience_ends_with_its_time_or_with_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_s: float, is_over: bool
) -> None:
    patience = Patience(is_over=lambda: is_over, limit_s=limit_s)
    storage = PatientStorage(f"sqlite:///{tmp_path / 'study.db'}", patience)
    lose_connection(storage, monkeypatch, times=10_000, after=False)
    with pytest.raises(StorageLostError, match="does not answer: server closed the connection"):
        storage.create_new_study([StudyDirection.MAXIMIZE], "study")


@pytest.fixture
def server() -> Iterator[Server]:
    reason = missing_for_postgresql()
    if reason is not None:
        pytest.skip(reason)
    # Not in tmp_path, which the server's user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="autohier-pg-"))
    folder.chmod(0o755)
    with open_server(folder / "server") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_study_survives_restarts_of_postgresql(tmp_path: Path, server: Server, lines: list[str]) -> None:
    pytest.importorskip("psycopg")
    storage = PatientStorage(server.url, Patience(lines.append))
    study = SweepStudy(make_plan(tmp_path, trials=3), storage)
    first = study.next_trial()
    assert first is not None
    server.stop()
    server.start()
    study.record_complete(first, Measurements([0.5], {}), {"stages": []})  # pre-ping finds it out
    second = study.next_trial()
    assert second is not None
    server.stop()

    def start_again(line: str) -> None:
        lines.append(line)
        if "does not answer" in line:
            server.start()

    storage._patience = Patience(start_again)
    study.record_complete(second, Measurements([0.25], {}), {"stages": []})
    assert study.num_finished() == 2
    assert sum("does not answer" in line for line in lines) == 1
    assert "answers again" in lines[-1]
    again = SweepStudy(make_plan(tmp_path, trials=3), PatientStorage(server.url, Patience()))
    assert again.num_finished() == 2
