"""The searcher: what it does where the study cannot be written."""

import errno
import json

import pytest
from rich.console import Console

from autohier.errors import InputError
from autohier.sweep.breaker import Breaker
from autohier.sweep.cluster import be_quiet
from autohier.sweep.display import Display
from autohier.sweep.storage import open_storage
from autohier.sweep.study import SweepStudy
from plans import make_plan

END = {"chain": [0.5, 0.6], "rungs": json.dumps({"1": 0.5, "2": 0.6}), "facts": "{}"}


@pytest.fixture
def study(tmp_path):
    return SweepStudy(make_plan(tmp_path, trials=4), open_storage(None, tmp_path / "study.journal"))


@pytest.fixture
def searcher(study):
    be_quiet()  # Ray reads its environment when it is imported
    from autohier.sweep.searcher import StudySearcher

    return StudySearcher(study, Breaker(5), lambda *_: None)


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_where_an_end_cannot_be_told_nothing_more_is_asked_or_told(searcher, study, tmp_path, monkeypatch):
    first, second = (searcher.suggest(name) for name in "ab")
    with monkeypatch.context() as patch:
        patch.setattr("autohier.sweep.study.SweepStudy.tell_complete", full)
        searcher.on_trial_complete("a", END)
    assert "No space left" in str(searcher.fault)
    searcher.on_trial_complete("b", END)
    assert searcher.suggest("c") == searcher.FINISHED
    assert study.num_finished() == 0
    # The next driver asks for both again.
    after = SweepStudy(make_plan(tmp_path, trials=4), open_storage(None, tmp_path / "study.journal"))
    assert after.reconcile() == 2
    assert [after.ask().name, after.ask().name] == [first["trial"], second["trial"]]


def test_where_an_ask_cannot_be_written_the_sweep_ends(searcher, monkeypatch):
    monkeypatch.setattr("autohier.sweep.study.SweepStudy.ask", full)
    assert searcher.suggest("a") == searcher.FINISHED
    assert searcher.fault.errno == errno.ENOSPC


def test_an_end_is_told_once(searcher, study):
    searcher.suggest("a")
    for _ in range(2):
        searcher.on_trial_complete("a", END)
    assert (study.num_finished(), searcher.fault) == (1, None)


def test_a_sweep_whose_study_cannot_be_written_says_so_and_how_to_go_on(study, tmp_path, monkeypatch):
    be_quiet()
    from autohier.sweep import tuning
    from autohier.sweep.cluster import Share
    from autohier.sweep.folder import SweepFolder

    class Tuner:
        """In place of Ray Tune's: asks for a trial."""

        def __init__(self, _, tune_config, run_config):
            assert run_config.storage_path
            self._searcher = tune_config.search_alg

        def fit(self):
            assert self._searcher.suggest("a") == self._searcher.FINISHED

    monkeypatch.setattr(tuning.tune, "Tuner", Tuner)
    monkeypatch.setattr(tuning.ray, "put", lambda job: job)
    monkeypatch.setattr("autohier.sweep.study.SweepStudy.ask", full)
    share = Share(cpus=1, gpus=0, parallel=1, node_cpus=1)
    told = r"the study must be written, but got \[Errno 28\] No space .*: make room, then 'autoh"
    with pytest.raises(InputError, match=told):
        tuning.run_trials(SweepFolder(tmp_path), study, None, share, Display(Console(), target=4), Breaker(5))
