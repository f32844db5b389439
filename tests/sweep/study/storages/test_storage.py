"""A study's storage: what reaches the disk at which time, and what is read from it."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from contextlib import nullcontext

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from autohier.errors import InputError
from autohier.sweep.study.storages.journal import JournalFile
from autohier.sweep.study.storages.storage import open_storage, storage_failures, written_at_once


@pytest.fixture
def syncs(monkeypatch):
    """All calls of fsync so far."""
    done, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(file), fsync(file)))
    return done


def make_study(tmp_path):
    storage = open_storage(None, tmp_path / "study.journal")
    return storage, storage.create_new_study([StudyDirection.MAXIMIZE], "study")


def contents(storage):
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id)
    return [(trial.state, trial.values, trial.user_attrs, trial.intermediate_values) for trial in trials]


def test_a_block_is_written_in_one_piece_and_readable_within(tmp_path, syncs):
    storage, study = make_study(tmp_path)
    first = storage.create_new_trial(study)
    syncs.clear()
    with written_at_once(storage):
        storage.set_trial_user_attr(first, "chain", [0.5, 0.25])
        storage.set_trial_intermediate_value(first, 3, 0.5)
        second = storage.create_new_trial(study)
        storage.set_trial_state_values(first, TrialState.COMPLETE, [0.5])
        within = contents(storage)
        assert not syncs
    assert len(syncs) == 1
    storage.set_trial_user_attr(second, "after", "it")
    expected = [
        (TrialState.COMPLETE, [0.5], {"chain": [0.5, 0.25]}, {3: 0.5}),
        (TrialState.RUNNING, None, {}, {}),
    ]
    assert within == expected
    expected[1][2]["after"] = "it"
    assert contents(storage) == contents(open_storage(None, tmp_path / "study.journal")) == expected


def test_changes_before_a_block_failed_are_written(tmp_path):
    storage, study = make_study(tmp_path)
    with pytest.raises(ZeroDivisionError, match="zero"), written_at_once(storage):
        storage.create_new_trial(study)
        _ = 1 / 0
    assert len(contents(open_storage(None, tmp_path / "study.journal"))) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_a_change_costs_one_line_to_read(tmp_path, monkeypatch, at_once):
    storage, study = make_study(tmp_path)
    with written_at_once(storage) if at_once else nullcontext():
        for _ in range(20):
            storage.create_new_trial(study)
    decoded, loads = [], json.loads
    monkeypatch.setattr(
        "autohier.sweep.study.storages.journal.json.loads",
        lambda line: (decoded.append(line), loads(line))[1],
    )
    storage.create_new_trial(study)
    assert len(decoded) == 1


def test_other_storages_write_each_change_by_itself():
    storage = InMemoryStorage()
    with written_at_once(storage):
        study = storage.create_new_study([StudyDirection.MAXIMIZE])
        assert storage.get_n_trials(study) == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_a_full_disk_leaves_the_journal_readable(tmp_path, monkeypatch, at_once):
    storage, study = make_study(tmp_path)
    first = storage.create_new_trial(study)
    before = (tmp_path / "study.journal").read_bytes()

    def full(file):
        os.truncate(file, os.fstat(file).st_size - 5)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with (
            pytest.raises(OSError, match="No space left"),
            written_at_once(storage) if at_once else nullcontext(),
        ):
            storage.set_trial_user_attr(first, "chain", [0.5])
    assert (tmp_path / "study.journal").read_bytes() == before
    again = open_storage(None, tmp_path / "study.journal")
    again.set_trial_user_attr(first, "chain", [0.25])
    assert contents(open_storage(None, tmp_path / "study.journal")) == [
        (TrialState.RUNNING, None, {"chain": [0.25]}, {})
    ]


def fill(storage):
    """Add one trial of each kind that a sweep adds, through Optuna's public classes."""
    study = optuna.create_study(study_name="study", storage=storage, direction="maximize")
    trial = create_trial(
        value=0.5,
        params={"passes": 1},
        distributions={"passes": IntDistribution(0, 7)},
        user_attrs={"derived_from": 0},
    )
    study.add_trial(trial)
    running = study.ask()
    running.report(0.25, 0)
    running.set_user_attr("reason", "too weak")
    study.tell(running, state=TrialState.PRUNED)
    study.set_user_attr("taken_back", [1])


def test_optuna_reads_our_journal(tmp_path):
    path = tmp_path / "study.journal"
    fill(open_storage(None, path))
    theirs = JournalStorage(JournalFileBackend(str(path)))
    assert contents(theirs) == contents(open_storage(None, path))
    assert [state for state, *_ in contents(theirs)] == [TrialState.COMPLETE, TrialState.PRUNED]


def test_we_read_a_journal_of_optuna_and_write_the_same_lines(tmp_path):
    ours, theirs = tmp_path / "ours.journal", tmp_path / "theirs.journal"
    fill(open_storage(None, ours))
    fill(JournalStorage(JournalFileBackend(str(theirs))))
    assert contents(open_storage(None, theirs)) == contents(open_storage(None, ours))
    changing = ("worker_id", "datetime_start", "datetime_complete", "crc")
    lines = [
        [
            {key: value for key, value in json.loads(line).items() if key not in changing}
            for line in path.read_text().splitlines()
        ]
        for path in (ours, theirs)
    ]
    assert lines[0] == lines[1]


def test_a_reader_ignores_the_line_that_is_being_written(tmp_path):
    path = tmp_path / "study.journal"
    JournalFile(path).append_logs([{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}])
    whole = path.read_bytes()
    begins = whole.index(b'{"a":3')
    path.write_bytes(whole[: begins + 5])
    reader = JournalFile(path)
    assert list(reader.read_logs(0)) == [{"a": 1}, {"a": 2}]
    with path.open("ab") as rest:
        rest.write(whole[begins + 5 :])
    assert list(reader.read_logs(2)) == [{"a": 3}, {"a": 4}]
    assert list(reader.read_logs(1)) == [{"a": 2}, {"a": 3}, {"a": 4}]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("sqlite:////nonexistent/study.db", "unable to open database file"),
        ("sqlite:///{folder}", "unable to open database file"),
        ("sqlite:///{folder}/text", "file is not a database"),
        ("foo://host/x", "its kind of database is unknown"),
        ("study.db", "it is no URL"),
        ("mysql+pymissing://host/x", "its kind of database is unknown"),
        ("oracle://host/x", "the Python driver of its database is not installed"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_refused_in_plain_words(tmp_path, url, fault):
    (tmp_path / "text").write_text("no database, " * 100)
    url = url.format(folder=tmp_path)
    with pytest.raises(InputError, match="can be opened") as caught:
        open_storage(url, tmp_path / "study.journal")
    assert caught.value.got == f"{url}: {fault}"
    assert "Error" not in str(caught.value)
    assert "sqlalche" not in str(caught.value)


@pytest.mark.parametrize("writes", [True, False])
def test_a_database_that_is_damaged_during_a_sweep_is_named_in_plain_words(tmp_path, writes):
    path = tmp_path / "study.db"
    storage = open_storage(f"sqlite:///{path}", tmp_path / "study.journal")
    study = storage.create_new_study([StudyDirection.MAXIMIZE], "study")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE trials")
    with (
        pytest.raises(
            InputError, match="database must answer, but got no such table: trials: resume"
        ) as caught,
        storage_failures(hint="resume"),
    ):
        storage.create_new_trial(study) if writes else storage.get_all_trials(study)
    assert "\n" not in str(caught.value)


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path):
    path = tmp_path / "study.journal"
    path.write_text('{"a":1}\n{"a"\n{"a":3}\n')
    with pytest.raises(InputError, match=r"line 2 of .*delimiter"):
        list(JournalFile(path).read_logs(0))
