"""What becomes of a trial's failure: its class, its record, and the process it happened in."""

from __future__ import annotations

import errno
import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from autohier.records.diary import TrialDiary
from autohier.records.reader import read_rows
from autohier.records.schema import TrialRow
from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.loading import load_space
from autohier.sweep.breaker import Breaker
from autohier.sweep.cluster import Share
from autohier.sweep.display import Display
from autohier.sweep.folder import SweepFolder
from autohier.sweep.halving import open_ladder
from autohier.sweep.storage import open_storage
from autohier.sweep.study import SweepStudy
from fake_outcomes import fake_outcome
from plans import make_plan
from tiny_clips import SPACE_FILE


@pytest.fixture
def run_trials(tmp_path, tiny_data, ray_address, monkeypatch):  # noqa: ARG001
    """Runs trials on Ray, each of which calls a function in place of its stages; their rows."""
    from autohier.sweep import actor, trainable, tuning

    def run(instead, *, trials):
        def run_in_actor(config, *, job):
            actor._run = lambda *_: instead(config["trial"])
            trainable.run_in_actor(config, job=job)

        monkeypatch.setattr(tuning, "run_in_actor", run_in_actor)
        folder = SweepFolder(tmp_path / "sweep")
        plan = make_plan(tmp_path, space=load_space(str(SPACE_FILE)), trials=trials)
        study = SweepStudy(plan, open_storage(None, folder.journal_file))
        job = actor.TrialJob(folder, tiny_data / "demo", tmp_path / "stages", "cpu", 1, study.ladder, 0)
        display = Display(Console(file=io.StringIO()), target=trials)
        tuning.run_trials(folder, study, job, Share(1, 0, 1, 2), display, Breaker(trials + 1))
        assert study.num_finished() == trials
        return read_rows(folder.records, TrialRow)

    return run


def test_a_process_whose_device_broke_is_not_used_again(run_trials):
    def instead(trial):
        raise RuntimeError(f"{'CUDA error' if trial == 't0000' else 'an error'} in process {os.getpid()}")

    rows = run_trials(instead, trials=3)

    assert [(row.trial, row.state, row.failure) for row in rows] == [
        (f"t000{ask}", "FAIL", "bug") for ask in range(3)
    ]
    broken, second, third = [re.search(r"process (\d+)$", row.reason)[1] for row in rows]
    assert broken != second
    assert second == third


def test_a_trial_whose_process_dies_again_and_again_is_a_lost_process(run_trials, monkeypatch):
    monkeypatch.setattr("autohier.sweep.tuning._DEATHS_FORGIVEN", 1)
    (row,) = run_trials(lambda _: os._exit(1), trials=1)
    assert (row.state, row.failure) == ("FAIL", "lost process")
    assert row.reason == "its process died again and again"


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """Runs a trial in this process; what Ray would be told."""
    from autohier.sweep import actor

    def run(instead):
        told = []
        monkeypatch.setattr(actor.tune, "report", told.append)
        monkeypatch.setattr(actor, "_run", lambda *_: instead())
        plan = make_plan(tmp_path)
        setting = plan.space.setting(plan.space.known[0].as_choice(), seed=0)
        config = {"trial": "t0000", "number": 0, "ask": 0, "source": "drawn"}
        ladder = open_ladder(plan.space, stopping=False)
        job = actor.TrialJob(SweepFolder(tmp_path / "sweep"), Path(), Path(), "cpu", 1, ladder, 0)
        actor.run_sweep_trial(config | {"setting": setting.model_dump_json()}, job=job)
        return told

    return run


def test_a_failure_is_reported_with_its_class_and_traceback(reports):
    def instead():
        raise MemoryError("of the test")

    (report,) = reports(instead)
    assert (report["failure"], report["failure_class"]) == ("MemoryError: of the test", "out of memory")
    assert report["traceback"].startswith("Traceback")


@pytest.mark.parametrize("method", ["__init__", "fail"])
def test_a_failure_that_cannot_be_recorded_is_reported_all_the_same(reports, monkeypatch, method):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def instead():
        raise ValueError("what came first")

    monkeypatch.setattr(TrialDiary, method, full)
    (report,) = reports(instead)
    assert report["failure_class"] == "disk full"
    assert "No space left" in report["failure"]
    assert ("what came first" in report["traceback"]) == (method == "fail")


def test_epochs_are_told_of_their_fold(monkeypatch):
    from autohier.sweep import actor

    told = []
    monkeypatch.setattr(actor.tune, "report", told.append)
    folds = ("protocol.validation=folds", "protocol.num_folds=2", "pass_2.epochs=3")
    setting = load_space("demo", folds).setting(FLAT_CHOICE, seed=0)
    driver = actor._RayReporter(setting)
    driver.stage_started("pass-2", 0, reused=False)
    (stage,) = (stage for stage in fake_outcome().stages if stage.kind == "pass-2")
    for number in range(6):
        driver.epoch_finished("pass-2", 0, replace(stage.epochs[0], epoch=number), reused=False)
    assert [(report["stage"], report["epoch"]) for report in told] == [
        (f"pass 2 of fold {fold}", epoch) for fold in (1, 2) for epoch in (1, 2, 3)
    ]
