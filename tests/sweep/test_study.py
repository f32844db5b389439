"""The study: known settings first, then seeded draws; nothing lost, nothing counted twice."""

import optuna
import pytest

from autohier.errors import InputError
from autohier.settings.loading import load_space
from autohier.sweep.folder import SweepFolder
from autohier.sweep.reuse import shorter_chains
from autohier.sweep.study import SweepStudy
from plans import make_plan


def open_study(tmp_path, **changes):
    return SweepStudy(make_plan(tmp_path, **changes), SweepFolder(tmp_path / "sweep"))


def accuracy_of(choice):
    return choice.ratio + choice.weight_ratio / 10


def run(study, number):
    """Run trials one after the other; what they drew."""
    drawn = {}
    for _ in range(number):
        asked = study.ask()
        if asked is None:
            break
        drawn[asked.name] = asked.setting.choice
        study.tell_accuracy(asked, [0.1, accuracy_of(asked.setting.choice)], {})
    return drawn


def test_known_settings_come_first_and_then_the_sampler(tmp_path):
    study = open_study(tmp_path)
    known = [known.as_choice() for known in load_space("demo").known]
    drawn = run(study, 99)
    assert list(drawn) == [f"t{ask:04d}" for ask in range(6)]
    assert list(drawn.values())[: len(known)] == known
    assert study.num_finished() == 6


def test_the_value_of_a_trial_is_the_highest_of_its_chain(tmp_path):
    study = open_study(tmp_path, trials=1)
    asked = study.ask()
    study.tell_accuracy(asked, [0.5, 0.6, 0.4], {"kept_pass": 1})
    trial = study._trials()[0]
    assert trial.value == 0.6
    assert trial.intermediate_values == {0: 0.5, 1: 0.6, 2: 0.4}
    assert trial.user_attrs["kept_pass"] == 1
    assert study.setting(0) == asked.setting


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_draws_do_not_depend_on_how_often_a_driver_started(tmp_path, sampler):
    whole = run(open_study(tmp_path / "whole", sampler=sampler, trials=14), 99)
    parts = {}
    for number in (1, 4, 5, 99):
        parts |= run(open_study(tmp_path / "parts", sampler=sampler, trials=14), number)
    assert parts == whole


def test_another_seed_draws_other_settings(tmp_path):
    first = run(open_study(tmp_path / "a"), 99)
    second = run(open_study(tmp_path / "b", seed=1), 99)
    assert list(first.values())[:3] == list(second.values())[:3]
    assert list(first.values())[3:] != list(second.values())[3:]


def test_settings_of_a_dead_driver_are_run_once_more_and_counted_once(tmp_path):
    dead = open_study(tmp_path)
    run(dead, 3)
    left = {asked.name: asked.setting for asked in (dead.ask(), dead.ask())}

    study = open_study(tmp_path)
    assert study.reconcile() == 2
    assert study.num_finished() == 3
    again = {asked.name: asked.setting for asked in (study.ask(), study.ask())}
    assert again == left
    third = study.ask()
    assert third.name == "t0005"
    assert study.ask() is None


def test_a_driver_may_die_between_asking_and_noting_what_it_asked(tmp_path):
    dead = open_study(tmp_path)
    run(dead, 3)
    # What the journal holds when the process dies inside of ask(): a running trial without a number.
    dead._study.ask()

    study = open_study(tmp_path)
    assert study.reconcile() == 0
    assert list(run(study, 99)) == ["t0003", "t0004", "t0005"]


def test_a_driver_may_die_while_it_asks(tmp_path):
    dead = open_study(tmp_path / "dead")
    dead._study.enqueue_trial({"passes": 1, "fanout_1": 0.5}, user_attrs={"ask": 0, "source": "a paper"})
    trial = dead._study.ask()
    trial.suggest_float("fanout_1", 0, 1)  # the first of several, each written by itself

    study = open_study(tmp_path / "dead")
    study.reconcile()
    assert run(study, 99) == run(open_study(tmp_path / "whole"), 99)


def test_a_driver_may_die_between_enqueueing_and_asking(tmp_path):
    dead = open_study(tmp_path)
    dead._study.enqueue_trial({"passes": 1}, user_attrs={"ask": 0, "source": "x"})

    study = open_study(tmp_path)
    assert study.reconcile() == 0
    drawn = run(study, 99)
    assert drawn["t0000"] == load_space("demo").known[0].as_choice()
    assert len(drawn) == 6


def test_a_setting_that_failed_by_itself_counts_as_tried(tmp_path):
    study = open_study(tmp_path, trials=2)
    study.tell_failure(study.ask(), "the loss must be finite", "not a number")
    study.tell_accuracy(study.ask(), [0.5], {})
    assert study.num_finished() == 2
    assert study.ask() is None
    states = [trial.state for trial in study._trials() if "ask" in trial.user_attrs]
    assert states == [optuna.trial.TrialState.FAIL, optuna.trial.TrialState.COMPLETE]
    failed = study._trials()[0].user_attrs
    assert (failed["failure"], failed["reason"]) == ("not a number", "the loss must be finite")


def test_settings_that_are_taken_back_are_asked_again_and_counted_once(tmp_path):
    study = open_study(tmp_path)
    run(study, 1)
    failed = [study.ask() for _ in range(3)]
    for asked in failed:
        study.tell_failure(asked, "no space left", "disk full")
    assert study.num_finished() == 4
    study.take_back([failed[0].trial.number])
    study.take_back([failed[2].trial.number])
    assert study.num_finished() == 2

    again = open_study(tmp_path)
    assert again.reconcile() == 2
    retried = [again.ask(), again.ask()]
    assert [(asked.name, asked.setting) for asked in retried] == [
        (asked.name, asked.setting) for asked in (failed[0], failed[2])
    ]
    assert again.ask().name == "t0004"
    again.tell_accuracy(retried[0], [0.5], {})
    again.tell_failure(retried[1], "the loss must be finite", "not a number")
    assert again.num_finished() == 4
    assert again.ask().name == "t0005"


def test_a_driver_may_die_between_taking_a_setting_back_and_telling_its_failure(tmp_path):
    dead = open_study(tmp_path)
    asked = dead.ask()
    dead.take_back([asked.trial.number])

    study = open_study(tmp_path)
    assert study.reconcile() == 1
    assert study.ask().setting == asked.setting
    assert study.ask().name == "t0001"


def test_a_finished_study_can_be_extended(tmp_path):
    first = run(open_study(tmp_path, trials=4), 99)
    more = run(open_study(tmp_path, trials=7), 99)
    assert list(more) == ["t0004", "t0005", "t0006"]
    assert not set(first) & set(more)


def test_a_database_holds_the_study_too(tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    assert len(run(open_study(tmp_path, storage=storage), 99)) == 6
    assert open_study(tmp_path, storage=storage).num_finished() == 6


def test_a_storage_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(InputError, match="--storage must be an Optuna storage URL"):
        open_study(tmp_path, storage="nosuch://host/name")


def test_a_chain_tells_of_every_shorter_one(tmp_path):
    study = open_study(tmp_path, trials=2)
    asked = study.ask()
    cap = asked.setting.choice.passes
    assert cap == 3
    # The stop rule ended the chain after two pruning passes: a cap of 2 would have trained the same.
    study.tell_accuracy(asked, [0.5, 0.7, 0.6], {})

    derived = [trial for trial in study._trials() if trial.user_attrs.get("derived_from") == 0]
    assert [trial.params["passes"] for trial in derived] == [0, 1, 2]
    assert [trial.value for trial in derived] == [0.5, 0.7, 0.7]
    assert {key: value for key, value in derived[0].params.items() if key != "passes"} == {
        key: value for key, value in study._trials()[0].params.items() if key != "passes"
    }
    assert study.num_finished() == 1
    assert study.ask().name == "t0001"


@pytest.mark.parametrize("num_told", [0, 1])
def test_a_driver_may_die_before_it_told_of_all_shorter_chains(tmp_path, num_told):
    whole = open_study(tmp_path / "whole")
    run(whole, 3)
    dead = open_study(tmp_path / "dead")
    run(dead, 2)
    asked = dead.ask()
    for step, accuracy in enumerate([0.1, accuracy_of(asked.setting.choice)]):
        asked.trial.report(accuracy, step=step)
    dead._study.tell(asked.trial, accuracy_of(asked.setting.choice))
    dead._study.add_trials(shorter_chains(dead._trials()[asked.trial.number])[:num_told])

    study = open_study(tmp_path / "dead")
    study.reconcile()
    assert [trial.params for trial in study._trials()] == [trial.params for trial in whole._trials()]
    assert run(study, 99) == run(whole, 99)


@pytest.mark.parametrize("how_often", [0.0, 1.0])
def test_drawn_settings_keep_a_good_prefix_as_often_as_the_space_says(tmp_path, how_often):
    space = load_space("demo")
    search = space.search.model_copy(update={"keep_prefix": how_often})
    study = open_study(tmp_path, space=space.model_copy(update={"search": search}), trials=20)
    drawn = list(run(study, 99).values())

    prefixes = [(choice.superclasses, choice.weight_ratio) for choice in drawn]
    repeats = [prefix in prefixes[:place] for place, prefix in enumerate(prefixes)]
    # The first ten are drawn freely, that there be prefixes worth keeping.
    assert sum(repeats[len(space.known) : 10]) < 4
    if how_often:
        assert all(repeats[10:])
        assert len(set(drawn[10:])) > 5  # the rest is drawn
    else:
        assert sum(repeats[10:]) < 6
