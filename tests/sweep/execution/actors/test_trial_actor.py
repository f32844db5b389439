"""Tests of a failing trial: the class of its failure, its record, its process and its callbacks."""

from __future__ import annotations

import errno
import io
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.hac import PASS_1
from autohier.records.reader import read_rows
from autohier.records.recorders.trial_recorder import TrialRecorder
from autohier.records.schema import TrialRow
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.messages import TrialFailed, from_report
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.early_stopping import EarlyStopping
from autohier.sweep.scheduling.failure_limit import FailureLimit
from autohier.sweep.scheduling.rungs import open_rungs
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import SweepStudy
from support.fakes.fake_outcomes import fake_epoch
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan


@pytest.fixture
def run_trials(tmp_path, tiny_data, ray_address, monkeypatch):  # noqa: ARG001
    """Runs trials on Ray that call a function instead of their stages; returns their rows."""
    from autohier.sweep.execution import tuner
    from autohier.sweep.execution.actors import trainable, trial_actor
    from autohier.sweep.execution.actors.context import SweepContext

    def run(instead, *, trials):
        def run_in_actor(tune_config, *, context):
            trial_actor._run = lambda *_: instead(tune_config["trial"])
            trainable.run_in_actor(tune_config, context=context)

        monkeypatch.setattr(tuner, "run_in_actor", run_in_actor)
        folder = SweepFolder(tmp_path / "sweep")
        plan = make_plan(tmp_path, space=load_space(str(SPACE_FILE)), trials=trials)
        study = SweepStudy(plan, open_storage(None, folder.journal_file))
        context = SweepContext(folder, tiny_data / "demo", tmp_path / "stages", "cpu", 1, study.rungs, 0)
        display = Display(Console(file=io.StringIO()), target=trials)
        limit, share = FailureLimit(trials + 1), Share(1, 0, 1, 2)
        tuner.run_trials(folder, study, context, share, display, limit, StopRequest())
        # A lost process says nothing about a config: such trials count as untried, and run again.
        rows = read_rows(folder.records, TrialRow)
        assert study.num_finished() == sum(row.failure != "lost process" for row in rows)
        return rows

    return run


def test_a_process_with_a_broken_device_runs_no_other_trial(run_trials):
    def instead(trial):
        raise RuntimeError(f"{'CUDA error' if trial == 't0000' else 'an error'} in process {os.getpid()}")

    rows = run_trials(instead, trials=3)

    assert [(row.trial, row.state, row.failure) for row in rows] == [
        (f"t000{ask}", "FAIL", "bug") for ask in range(3)
    ]
    broken, second, third = [re.search(r"process (\d+)$", row.reason)[1] for row in rows]
    assert broken != second
    assert second == third


def test_a_trial_whose_process_dies_repeatedly_is_a_lost_process_and_will_run_again(run_trials, monkeypatch):
    monkeypatch.setattr("autohier.sweep.execution.tuner._MAX_RESTARTS", 1)
    (row,) = run_trials(lambda _: os._exit(1), trials=1)
    assert (row.state, row.failure) == ("REQUEUED", "lost process")
    assert row.reason == "its process died repeatedly"


@pytest.fixture
def run_trial(tmp_path, monkeypatch):
    """Runs a trial in this process that calls a function instead of its stages; returns its messages."""
    from autohier.sweep.execution.actors import trial_actor
    from autohier.sweep.execution.actors.context import SweepContext

    def run(instead, *callbacks):
        messages = []
        monkeypatch.setattr(trial_actor.tune, "report", lambda report: messages.extend(from_report(report)))
        monkeypatch.setattr(trial_actor, "_run", lambda *arguments: instead(arguments[4]))
        plan = make_plan(tmp_path)
        config = plan.space.config(plan.space.initial[0].as_params(), seed=0)
        tune_config = {"trial": "t0000", "number": 0, "ask": 0, "source": "sampled"}
        tune_config |= {"role": "search", "confirms": ""}
        rungs = open_rungs(plan.space, within_pass_2=False)
        folder = SweepFolder(tmp_path / "sweep")
        context = SweepContext(folder, Path(), Path(), "cpu", 1, rungs, 0, callbacks=callbacks)
        trial_actor.run_sweep_trial(tune_config | {"config": config.model_dump_json()}, context=context)
        return messages

    return run


def test_a_failure_is_reported_with_its_class_and_traceback(run_trial):
    def instead(_):
        raise MemoryError("of the test")

    (message,) = run_trial(instead)
    assert isinstance(message, TrialFailed)
    assert (message.reason, message.failure) == ("MemoryError: of the test", "out of memory")
    assert message.traceback.startswith("Traceback")


def test_a_failure_reports_the_epochs_that_the_trial_trained(run_trial):
    def instead(callbacks):
        reporter = next(each for each in callbacks if isinstance(each, trial_actor.TuneReporter))
        reporter.on_stage_start(PASS_1, 0, reused=True)
        reporter.on_epoch_end(PASS_1, 0, fake_epoch(0, 60, 1), reused=True)
        reporter.on_stage_start(PASS_1, 0, reused=False)
        # Another trial trained the first epoch of a stage that this one continued.
        for epoch, reused in enumerate((True, False, False)):
            reporter.on_epoch_end(PASS_1, 0, fake_epoch(epoch, 60, 1), reused=reused)
        raise FloatingPointError("diverged")

    from autohier.sweep.execution.actors import trial_actor

    end = run_trial(instead)[-1]
    assert (end.epochs_computed, end.seconds_computed) == (2, 2 * fake_epoch(0, 60, 1).seconds)


@pytest.mark.parametrize("method", ["__init__", "fail"])
def test_a_failure_that_cannot_be_recorded_is_reported(run_trial, monkeypatch, method):
    def fail_to_write(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def instead(_):
        raise ValueError("the first error")

    monkeypatch.setattr(TrialRecorder, method, fail_to_write)
    (message,) = run_trial(instead)
    assert message.failure == "disk full"
    assert "No space left" in message.reason
    assert ("the first error" in message.traceback) == (method == "fail")


def test_installed_callbacks_are_called_before_early_stopping_and_closed(run_trial, tmp_path, monkeypatch):
    from autohier.extensions import Extension
    from autohier.sweep.execution import callback_extensions
    from autohier.sweep.execution.actors.drain import DrainCallback

    calls = []

    class Recorder(TrialCallback):
        def __init__(self, *arguments):
            calls.append(arguments)

        def on_stage_wait(self, kind, pass_index, holder):  # noqa: ARG002
            calls.append(holder)

        def close(self):
            calls.append("closed")

    def instead(callbacks):
        # Early stopping and the drain, which may end the trial, come last.
        own, *last = callbacks[-3:]
        assert [type(each) for each in last] == [EarlyStopping, DrainCallback]
        assert isinstance(own, Recorder)
        own.on_stage_wait(PASS_1, 0, "t0001")
        raise ValueError("of the test")

    monkeypatch.setattr(Extension, "load", lambda _: Recorder)
    monkeypatch.setattr(callback_extensions.CALLBACKS, "_own", {"recorder": Extension("of:test")})
    (message,) = run_trial(instead, "recorder")
    assert message.reason == "ValueError: of the test"
    (trial, folder, config), *others = calls
    assert (trial, folder, config.seed) == ("t0000", tmp_path / "sweep", 0)
    assert others == ["t0001", "closed"]


def test_a_callback_that_is_missing_on_the_machine_fails_the_trial(run_trial):
    (message,) = run_trial(lambda _: None, "absent")
    assert message.reason.startswith("unknown callback 'absent'")


def test_a_builder_that_returns_no_callback_fails_the_trial(run_trial, monkeypatch):
    from autohier.extensions import Extension
    from autohier.sweep.execution import callback_extensions

    monkeypatch.setattr(callback_extensions.CALLBACKS, "_own", {"wrong": Extension("builtins:print")})
    (message,) = run_trial(lambda _: None, "wrong")
    assert message.reason.startswith(
        "the builder of callback 'wrong' must return a TrialCallback, but got NoneType"
    )


def test_a_trial_on_a_drained_machine_is_handed_back_and_continues(tmp_path, tiny_data, ray_address):  # noqa: ARG001
    import functools

    import ray
    from ray import tune

    from autohier.core.training.metrics import EpochMetrics
    from autohier.sweep.execution.actors import trainable, trial_actor
    from autohier.sweep.execution.actors.context import SweepContext
    from autohier.sweep.execution.cluster.admission import DRAINED, AdmissionTable

    folder, space = SweepFolder(tmp_path / "sweep"), load_space(str(SPACE_FILE))
    node = ray.get_runtime_context().get_node_id()
    table = ray.remote(num_cpus=0)(AdmissionTable).remote()
    ray.get(table.update.remote({node: ""}))
    starts = tmp_path / "starts"

    def run_in_actor(tune_config, *, context):
        def instead(*arguments):
            with starts.open("a") as file:
                file.write(f"{os.getpid()}\n")
            callbacks, is_first = arguments[4], len(starts.read_text().split()) == 1
            ray.get(table.update.remote({node: DRAINED if is_first else ""}))
            metrics = EpochMetrics(0, 0.1, 1.0, (1.0,), 1.0, (0.5,), 1.0, 4)
            try:
                callbacks[-1].on_epoch_end(PASS_1, 0, metrics, reused=False)
            finally:
                ray.get(table.update.remote({node: ""}))  # as if it continued elsewhere
            raise RuntimeError("the trial continued")

        trial_actor._run = instead
        trainable.run_in_actor(tune_config, context=context)

    study = SweepStudy(make_plan(tmp_path, space=space, trials=1), open_storage(None, folder.journal_file))
    context = SweepContext(
        folder, tiny_data / "demo", tmp_path / "stages", "cpu", 1, study.rungs, 0, admission=table
    )
    sampled = study.next_trial()
    config = {
        "trial": "t0000", "ask": 0, "number": 0, "role": "search", "confirms": "", "source": "",
        "config": sampled.config.model_dump_json(),
    }  # fmt: skip
    trial = tune.with_resources(functools.partial(run_in_actor, context=ray.put(context)), {"cpu": 1})
    run_config = tune.RunConfig(storage_path=str(tmp_path / "ray"), verbose=0)  # no failure is allowed
    results = tune.Tuner(trial, param_space=config, run_config=run_config).fit()
    assert results.num_errors == 0
    first, second = starts.read_text().split()
    assert first != second
    (row,) = read_rows(folder.records, TrialRow)
    assert row.reason == "RuntimeError: the trial continued"
