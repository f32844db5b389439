"""Tests of the searcher: trial ends, and a study that cannot be written."""

import errno
from types import SimpleNamespace

import pytest
from rich.console import Console

from autohier.errors import InputError
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.messages import TrialComplete, TrialFacts, TrialFailed, TrialStopped, to_report
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.scheduling.failure_limit import FailureLimit
from autohier.sweep.study.attributes import facts_of
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import SweepStudy
from support.sweep_runs.plans import make_plan

FACTS = TrialFacts(1, 10, 20, ("a",), 0, 3, accuracy=0.6, interval="27.9% to 85.4% (8 clips)")
RUNGS = ((1, 0.5), (2, 0.6))
END = to_report([TrialComplete((0.5, 0.6), RUNGS, FACTS)])


@pytest.fixture
def study(tmp_path):
    return SweepStudy(make_plan(tmp_path, trials=4), open_storage(None, tmp_path / "study.journal"))


@pytest.fixture
def searcher(study):
    be_quiet()  # Ray reads its environment when it is imported
    from autohier.sweep.execution.searcher import StudySearcher

    return StudySearcher(study, FailureLimit(5), lambda *_: None, StopRequest())


def fail_to_write(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_every_end_reaches_the_study(searcher, study):
    for name, end in (
        ("a", TrialComplete((0.5, 0.6), RUNGS, FACTS)),
        ("b", TrialStopped((0.5,), ((1, 0.5),), "weak")),
        ("c", TrialFailed("no memory", "out of memory", "", 2, 1.5)),
    ):
        searcher.suggest(name)
        searcher.on_trial_complete(name, to_report([end]))
    assert study.num_finished() == 3
    complete, stopped, failed = study._trials()
    assert complete.value == 0.6
    assert complete.intermediate_values == {study.rungs.budgets[1]: 0.5, study.rungs.budgets[2]: 0.6}
    assert facts_of(complete) == {
        "kept_pass": 1,
        "parameters": 10,
        "multiply_adds": 20,
        "stages": ["a"],
        "epochs_reused": 0,
        "epochs_computed": 3,
        "seconds_computed": 0.0,
        "accuracy": 0.6,
        "interval": "27.9% to 85.4% (8 clips)",
    }
    assert (stopped.state.name, stopped.user_attrs["reason"]) == ("PRUNED", "weak")
    assert (failed.state.name, failed.user_attrs["reason"]) == ("FAIL", "no memory")
    assert facts_of(failed) == {"epochs_computed": 2, "seconds_computed": 1.5}


@pytest.mark.parametrize("failure", ["disk error", "lost process"])
def test_a_trial_whose_disk_or_process_failed_runs_again_at_once_and_once(searcher, study, failure):
    failed = to_report([TrialFailed("broken", failure, "")])
    first = searcher.suggest("a")
    searcher.on_trial_complete("a", failed)
    assert study.num_finished() == 0
    again = searcher.suggest("b")
    assert (again["trial"], again["config"]) == (first["trial"], first["config"])
    searcher.on_trial_complete("b", failed)
    assert study.num_finished() == 1
    assert searcher.suggest("c")["trial"] == "t0001"


def test_other_failures_do_not_run_again(searcher, study):
    searcher.suggest("a")
    searcher.on_trial_complete("a", to_report([TrialFailed("diverged", "not a number", "")]))
    assert (study.num_finished(), searcher.suggest("b")["trial"]) == (1, "t0001")


def test_the_search_does_not_end_before_the_last_trial_has_ended_well(searcher, study):
    for name in "abcd":
        searcher.suggest(name)
    assert searcher.suggest("e") is None
    searcher.on_trial_complete("d", to_report([TrialFailed("broken", "disk error", "")]))
    assert searcher.suggest("e")["trial"] == "t0003"
    for name in "abce":
        searcher.on_trial_complete(name, END)
    assert searcher.suggest("f") == searcher.FINISHED
    assert study.num_finished() == 4


def test_an_interrupted_trial_stays_running(searcher, study, tmp_path):
    searcher.suggest("a")
    searcher.on_trial_complete("a", None)
    assert study.num_finished() == 0
    after = SweepStudy(make_plan(tmp_path, trials=4), open_storage(None, tmp_path / "study.journal"))
    assert after.reconcile() == 1


def test_after_a_failed_report_the_study_receives_and_samples_nothing(searcher, study, tmp_path, monkeypatch):
    first, second = (searcher.suggest(name) for name in "ab")
    with monkeypatch.context() as patch:
        patch.setattr("autohier.sweep.study.study.SweepStudy.record_complete", fail_to_write)
        searcher.on_trial_complete("a", END)
    assert "No space left" in str(searcher.fault)
    searcher.on_trial_complete("b", END)
    assert searcher.suggest("c") == searcher.FINISHED
    assert study.num_finished() == 0
    # The next driver runs both again.
    after = SweepStudy(make_plan(tmp_path, trials=4), open_storage(None, tmp_path / "study.journal"))
    assert after.reconcile() == 2
    assert [after.next_trial().name, after.next_trial().name] == [first["trial"], second["trial"]]


def test_a_sample_that_cannot_be_written_ends_the_sweep(searcher, monkeypatch):
    monkeypatch.setattr("autohier.sweep.study.study.SweepStudy.next_trial", fail_to_write)
    assert searcher.suggest("a") == searcher.FINISHED
    assert searcher.fault.errno == errno.ENOSPC


def test_a_second_end_of_a_trial_changes_nothing(searcher, study):
    searcher.suggest("a")
    for _ in range(2):
        searcher.on_trial_complete("a", END)
    assert (study.num_finished(), searcher.fault) == (1, None)


def test_an_unwritable_study_is_an_error_with_a_hint(study, tmp_path, monkeypatch):
    be_quiet()
    from autohier.sweep.execution import tuner
    from autohier.sweep.execution.trial_share import Share
    from autohier.sweep.paths import SweepFolder

    class Tuner:
        """Replaces Ray Tune's: samples a trial."""

        def __init__(self, _, tune_config, run_config):
            assert run_config.storage_path
            self._searcher = tune_config.search_alg

        def fit(self):
            assert self._searcher.suggest("a") == self._searcher.FINISHED

    monkeypatch.setattr(tuner.tune, "Tuner", Tuner)
    monkeypatch.setattr(tuner.ray, "put", lambda context: context)
    monkeypatch.setattr("autohier.sweep.study.study.SweepStudy.next_trial", fail_to_write)
    share = Share(cpus=1, gpus=0, parallel=1, node_cpus=1)
    display, context = Display(Console(), target=4), SimpleNamespace(broker=None)
    expected = r"the study must be writable, but got No space .*: free some disk space, then run"
    with pytest.raises(InputError, match=expected):
        tuner.run_trials(
            SweepFolder(tmp_path), study, context, share, display, FailureLimit(5), StopRequest()
        )


def test_a_reported_trial_without_a_record_is_a_failure_and_runs_again(study):
    from autohier.sweep.execution.searcher import UNRECORDED, StudySearcher

    recorded, lost = {"t0001": "COMPLETE"}, []
    searcher = StudySearcher(
        study,
        FailureLimit(5),
        lambda sampled, *why: lost.append((sampled.name, *why)),
        StopRequest(),
        lambda sampled, state: recorded.get(sampled.name) == state,
    )
    first, second = searcher.suggest("a"), searcher.suggest("b")
    searcher.on_trial_complete("a", END)
    searcher.on_trial_complete("b", END)
    assert (first["trial"], second["trial"]) == ("t0000", "t0001")
    assert lost == [("t0000", UNRECORDED, "disk error")]
    assert study.num_finished() == 1
    assert searcher.suggest("c")["trial"] == "t0000"


def test_trials_start_while_there_is_room(study):
    from autohier.sweep.execution.searcher import StudySearcher

    rooms = {"now": 1}
    searcher = StudySearcher(
        study, FailureLimit(5), lambda *_: None, StopRequest(), room=lambda: rooms["now"]
    )
    assert searcher.suggest("a")["trial"] == "t0000"
    assert searcher.suggest("b") is None
    rooms["now"] = 3  # machines have joined
    assert [searcher.suggest(name)["trial"] for name in "bc"] == ["t0001", "t0002"]
    rooms["now"] = 1  # they have left; no trial is ended for that
    assert searcher.suggest("d") is None
    for name in "abc":
        searcher.on_trial_complete(name, END)
    assert searcher.suggest("d")["trial"] == "t0003"
    # Without any machine a trial is sampled all the same, and waits for one.
    searcher.on_trial_complete("d", END)
    rooms["now"] = 0
    assert searcher.suggest("e") == searcher.FINISHED
