"""The journal of a study: what goes to the disk at one time, and what is read of it."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext

import pytest
from optuna.distributions import IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from autohier.sweep.storage import open_storage, written_at_once


@pytest.fixture
def syncs(monkeypatch):
    """Every wait for the disk."""
    done, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(file), fsync(file)))
    return done


def make_study(tmp_path):
    storage = open_storage(None, tmp_path / "study.journal")
    return storage, storage.create_new_study([StudyDirection.MAXIMIZE], "study")


def told(storage):
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id)
    return [(trial.state, trial.values, trial.user_attrs, trial.intermediate_values) for trial in trials]


def test_a_block_is_written_in_one_piece_and_read_within(tmp_path, syncs):
    storage, study = make_study(tmp_path)
    first = storage.create_new_trial(study)
    syncs.clear()
    with written_at_once(storage):
        storage.set_trial_user_attr(first, "chain", [0.5, 0.25])
        storage.set_trial_intermediate_value(first, 3, 0.5)
        second = storage.create_new_trial(study)
        storage.set_trial_state_values(first, TrialState.COMPLETE, [0.5])
        within = told(storage)
        assert not syncs
    assert len(syncs) == 1
    storage.set_trial_user_attr(second, "after", "it")
    expected = [
        (TrialState.COMPLETE, [0.5], {"chain": [0.5, 0.25]}, {3: 0.5}),
        (TrialState.RUNNING, None, {}, {}),
    ]
    assert within == expected
    expected[1][2]["after"] = "it"
    assert told(storage) == told(open_storage(None, tmp_path / "study.journal")) == expected


def test_what_was_told_before_a_block_failed_is_written(tmp_path):
    storage, study = make_study(tmp_path)
    with pytest.raises(ZeroDivisionError, match="zero"), written_at_once(storage):
        storage.create_new_trial(study)
        _ = 1 / 0
    assert len(told(open_storage(None, tmp_path / "study.journal"))) == 1


def test_a_block_reads_on_where_it_ended_and_not_from_the_beginning(tmp_path, monkeypatch):
    storage, study = make_study(tmp_path)
    with written_at_once(storage):
        for _ in range(20):
            storage.create_new_trial(study)
    decoded, loads = [], __import__("json").loads
    monkeypatch.setattr(
        "optuna.storages.journal._file.json.loads", lambda line: (decoded.append(line), loads(line))[1]
    )
    offsets = storage.file._log_number_offset
    assert len(offsets) == 22  # a study, 20 trials, and where the next will stand
    storage.create_new_trial(study)
    assert len(decoded) == 1


def test_other_storages_are_left_as_they_are():
    storage = InMemoryStorage()
    with written_at_once(storage):
        study = storage.create_new_study([StudyDirection.MAXIMIZE])
        assert storage.get_n_trials(study) == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_a_disk_that_takes_a_part_of_a_line_leaves_the_journal_readable(tmp_path, monkeypatch, at_once):
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
    assert told(open_storage(None, tmp_path / "study.journal")) == [
        (TrialState.RUNNING, None, {"chain": [0.25]}, {})
    ]


def test_trials_share_what_they_are_drawn_from(tmp_path):
    storage, study = make_study(tmp_path)
    distributions = {"passes": IntDistribution(0, 7)}
    trials = [
        storage.create_new_trial(
            study, create_trial(value=0.5, params={"passes": 1}, distributions=distributions)
        )
        for _ in range(2)
    ]
    assert all(
        storage.get_trial(trial).distributions["passes"] is distributions["passes"] for trial in trials
    )
    again = open_storage(None, tmp_path / "study.journal")
    assert [trial.distributions for trial in again.get_all_trials(study)] == [distributions] * 2
