"""A study whose driver died: the next one loses, repeats and changes no trial."""

from collections import Counter

import pytest

from autohier.config.search.loading import load_space
from autohier.errors import ENVIRONMENT_FAILURES
from autohier.sweep.study.study import Measurements
from support.sweep_runs.studies import complete, one_config_space, open_study, run_trials


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 14), ("gp", 12), ("random", 14)])
def test_samples_do_not_depend_on_the_number_of_drivers(tmp_path, sampler, trials):
    whole = run_trials(open_study(tmp_path / "whole", sampler=sampler, trials=trials), 99)
    parts = {}
    for number in (1, 4, 5, 99):
        parts |= run_trials(open_study(tmp_path / "parts", sampler=sampler, trials=trials), number)
    assert parts == whole


def test_a_new_driver_samples_as_the_old_one_if_trials_ended_out_of_order(tmp_path):
    study = open_study(tmp_path, trials=40)
    run_trials(study, 11)
    for _ in range(4):
        early, late = study.next_trial(), study.next_trial()
        complete(study, late, [0.5, 0.6])
        complete(study, early, [0.55])
    again = open_study(tmp_path, trials=40)
    assert again.reconcile() == 0
    assert again.next_trial().config == study.next_trial().config


def test_a_pruned_trial_whose_record_is_cut_short_runs_again(tmp_path):
    study = open_study(tmp_path, trials=1)
    sampled = study.next_trial()
    study.record_pruned(sampled, Measurements([0.4], {0: 0.3, 1: 0.4}), "too weak")
    journal = tmp_path / "sweep" / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    ended = next(place for place, line in enumerate(lines) if b'"op_code":6' in line)
    journal.write_bytes(b"".join(lines[:ended]))

    again = open_study(tmp_path, trials=1)
    assert again.reconcile() == 1
    assert again.next_trial().config == sampled.config


def test_trials_of_a_dead_driver_run_again_and_count_once(tmp_path):
    dead = open_study(tmp_path)
    run_trials(dead, 3)
    left = {sampled.name: sampled.config for sampled in (dead.next_trial(), dead.next_trial())}

    study = open_study(tmp_path)
    assert study.reconcile() == 2
    assert study.num_finished() == 3
    again = {sampled.name: sampled.config for sampled in (study.next_trial(), study.next_trial())}
    assert again == left
    third = study.next_trial()
    assert third.name == "t0005"
    assert study.next_trial() is None


def contents(study):
    """Parameters, seed and value of every trial by index, and a count of what the sampler observes."""
    tries = [trial for trial in study._trials() if trial.value is not None]
    return (
        {
            trial.user_attrs["trial_index"]: (trial.params, trial.user_attrs["seed"], trial.value)
            for trial in tries
        },
        Counter((tuple(sorted(seen.params.items())), seen.value) for seen in study._trial_index.observed),
    )


def test_a_driver_may_die_at_any_byte_of_the_journal(tmp_path):
    whole = open_study(tmp_path / "whole", trials=13)
    run_trials(whole, 99)
    journal = (tmp_path / "whole" / "sweep" / "study.journal").read_bytes()
    lines = [place + 1 for place, byte in enumerate(journal) if byte == ord("\n")]
    cuts = [*lines[:-1:3], *(place - 4 for place in lines[5:-1:9])]
    assert len(cuts) > 20

    for cut in cuts:
        folder = tmp_path / f"cut-{cut}"
        (folder / "sweep").mkdir(parents=True)
        (folder / "sweep" / "study.journal").write_bytes(journal[:cut])
        study = open_study(folder, trials=13)
        study.reconcile()
        run_trials(study, 99)
        assert contents(study) == contents(whole)
        assert study.num_finished() == 13


def test_retried_trials_run_again_and_count_once(tmp_path):
    study = open_study(tmp_path)
    run_trials(study, 1)
    failed = [study.next_trial() for _ in range(3)]
    for sampled in failed:
        study.record_failure(sampled, "wrong shapes", "bug")
    assert study.num_finished() == 4
    study.retry([failed[0].trial.number])
    study.retry([failed[2].trial.number])
    assert study.num_finished() == 2

    again = open_study(tmp_path)
    assert again.reconcile() == 2
    retried = [again.next_trial(), again.next_trial()]
    assert [(sampled.name, sampled.config) for sampled in retried] == [
        (sampled.name, sampled.config) for sampled in (failed[0], failed[2])
    ]
    assert again.next_trial().name == "t0004"
    complete(again, retried[0], [0.5])
    again.record_failure(retried[1], "the loss must be finite", "not a number")
    assert again.num_finished() == 4
    assert again.next_trial().name == "t0005"


@pytest.mark.parametrize("failure", sorted(ENVIRONMENT_FAILURES))
def test_the_next_driver_runs_a_trial_again_whose_environment_failed(tmp_path, failure):
    study = open_study(tmp_path, trials=3)
    failed = study.next_trial()
    study.record_failure(failed, "its disk or its process", failure)
    # This driver runs other trials.
    assert study.num_finished() == 1
    others = run_trials(study, 9)
    assert sorted(others) == ["t0001", "t0002"]
    assert study.num_finished() == 3

    again = open_study(tmp_path, trials=3)
    assert again.reconcile() == 1
    assert again.num_finished() == 2
    retried = again.next_trial()
    assert (retried.name, retried.config) == (failed.name, failed.config)
    complete(again, retried, [0.5])
    assert again.next_trial() is None
    assert open_study(tmp_path, trials=3).reconcile() == 0


def test_a_trial_that_failed_by_its_config_does_not_run_again(tmp_path):
    study = open_study(tmp_path, trials=1)
    study.record_failure(study.next_trial(), "the loss must be finite", "not a number")
    again = open_study(tmp_path, trials=1)
    assert (again.reconcile(), again.num_finished()) == (0, 1)


def test_a_driver_may_die_between_retry_and_recording_the_failure(tmp_path):
    dead = open_study(tmp_path)
    sampled = dead.next_trial()
    dead.retry([sampled.trial.number])

    study = open_study(tmp_path)
    assert study.reconcile() == 1
    assert study.next_trial().config == sampled.config
    assert study.next_trial().name == "t0001"


def test_a_retried_trial_keeps_its_seed(tmp_path):
    dead = open_study(tmp_path, space=one_config_space(), trials=2)
    complete(dead, dead.next_trial(), [0.5])
    left = dead.next_trial()
    study = open_study(tmp_path, space=one_config_space(), trials=2)
    study.reconcile()
    assert study.next_trial().config == left.config


def test_the_next_driver_gets_the_reports_of_earlier_trials(tmp_path):
    study = open_study(tmp_path, trials=3)
    complete(study, study.next_trial(), [0.5, 0.4, 0.6])
    sampled = study.next_trial()
    study.record_pruned(sampled, Measurements([], {0: 0.2}), "too weak")
    assert study.rungs.epochs == (2,)

    first, second = (initial.as_params() for initial in load_space("demo").initial[:2])
    assert open_study(tmp_path, trials=3).rung_reports() == [
        study.rungs.report(first, 1, 0.5),
        study.rungs.report(first, 2, 0.5),
        study.rungs.report(first, 3, 0.6),
        study.rungs.report(second, 0, 0.2),
    ]
