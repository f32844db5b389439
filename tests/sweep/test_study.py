"""The study: known settings first, then seeded draws; nothing lost, nothing counted twice."""

from collections import Counter

import optuna
import pytest

from autohier.errors import InputError
from autohier.settings.choice import Choice
from autohier.settings.loading import load_space
from autohier.settings.space import Space
from autohier.sweep.storage import open_storage
from autohier.sweep.study import Measured, SweepStudy
from plans import make_plan


def open_study(tmp_path, **changes):
    plan = make_plan(tmp_path, **changes)
    return SweepStudy(plan, open_storage(plan.storage, tmp_path / "sweep" / "study.journal"))


def tell(study, asked, chain, facts=None):
    """A trial that went all its way, with the rungs it met."""
    steps = {study.ladder.pass_step(k): max(chain[: k + 1]) for k in range(len(chain))}
    study.tell_complete(asked, Measured(chain, steps), facts or {})


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
        tell(study, asked, [0.1, accuracy_of(asked.setting.choice)])
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
    tell(study, asked, [0.5, 0.6, 0.4], {"kept_pass": 1})
    trial = study._trials()[0]
    assert trial.value == 0.6
    # Step 0 is within pass 2, which nobody told of here; passes count with the best so far.
    assert trial.intermediate_values == {1: 0.5, 2: 0.6, 3: 0.6}
    assert trial.user_attrs["chain"] == [0.5, 0.6, 0.4]
    assert trial.user_attrs["facts"] == {"kept_pass": 1}
    assert study.setting(0) == asked.setting


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 14), ("gp", 12), ("random", 14)])
def test_draws_do_not_depend_on_how_often_a_driver_started(tmp_path, sampler, trials):
    whole = run(open_study(tmp_path / "whole", sampler=sampler, trials=trials), 99)
    parts = {}
    for number in (1, 4, 5, 99):
        parts |= run(open_study(tmp_path / "parts", sampler=sampler, trials=trials), number)
    assert parts == whole


def test_draws_do_not_depend_on_the_order_in_which_running_trials_end(tmp_path):
    """Two trials at a time, the later one told first: a new driver draws what the old one would."""
    study = open_study(tmp_path, trials=40)
    run(study, 11)
    for _ in range(4):
        early, late = study.ask(), study.ask()
        tell(study, late, [0.5, 0.6])
        tell(study, early, [0.55])
    again = open_study(tmp_path, trials=40)
    assert again.reconcile() == 0
    assert again.ask().setting == study.ask().setting


def test_a_stopped_trial_that_is_told_by_half_is_asked_again(tmp_path):
    study = open_study(tmp_path, trials=1)
    asked = study.ask()
    study.tell_stopped(asked, Measured([0.4], {0: 0.3, 1: 0.4}), "too weak")
    journal = tmp_path / "sweep" / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    ended = next(place for place, line in enumerate(lines) if b'"op_code":6' in line)
    journal.write_bytes(b"".join(lines[:ended]))

    again = open_study(tmp_path, trials=1)
    assert again.reconcile() == 1
    assert again.ask().setting == asked.setting


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


def told(study):
    """Every ask with what it drew and reached, and what was derived, whoever told it."""
    valued = [trial for trial in study._trials() if trial.value is not None]
    tries = [trial for trial in valued if "ask" in trial.user_attrs]
    derived = [trial for trial in valued if "derived_from" in trial.user_attrs]
    return (
        {trial.user_attrs["ask"]: (trial.params, trial.user_attrs["seed"], trial.value) for trial in tries},
        Counter((tuple(trial.params.items()), trial.value) for trial in derived),
    )


def test_a_driver_may_die_at_any_byte_of_the_journal(tmp_path):
    whole = open_study(tmp_path / "whole", trials=13)
    run(whole, 99)
    journal = (tmp_path / "whole" / "sweep" / "study.journal").read_bytes()
    lines = [place + 1 for place, byte in enumerate(journal) if byte == ord("\n")]
    cuts = [*lines[2:-1:5], *(place - 4 for place in lines[5:-1:19])]
    assert len(cuts) > 20

    for cut in cuts:
        folder = tmp_path / f"cut-{cut}"
        (folder / "sweep").mkdir(parents=True)
        (folder / "sweep" / "study.journal").write_bytes(journal[:cut])
        study = open_study(folder, trials=13)
        study.reconcile()
        run(study, 99)
        assert told(study) == told(whole)
        assert study.num_finished() == 13


def test_a_setting_that_failed_by_itself_counts_as_tried(tmp_path):
    study = open_study(tmp_path, trials=2)
    study.tell_failure(study.ask(), "the loss must be finite", "not a number")
    tell(study, study.ask(), [0.5])
    assert study.num_finished() == 2
    assert study.ask() is None
    states = [trial.state for trial in study._trials() if "ask" in trial.user_attrs]
    assert states == [optuna.trial.TrialState.FAIL, optuna.trial.TrialState.COMPLETE]


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
    tell(again, retried[0], [0.5])
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
    tell(study, asked, [0.5, 0.7, 0.6])

    derived = [trial for trial in study._trials() if trial.user_attrs.get("derived_from") == 0]
    assert [trial.params["passes"] for trial in derived] == [0, 1, 2]
    assert [trial.value for trial in derived] == [0.5, 0.7, 0.7]
    assert {key: value for key, value in derived[0].params.items() if key != "passes"} == {
        key: value for key, value in study._trials()[0].params.items() if key != "passes"
    }
    assert study.num_finished() == 1
    assert study.ask().name == "t0001"


def test_a_stopped_chain_tells_of_the_passes_that_it_trained(tmp_path):
    study = open_study(tmp_path, trials=1)
    asked = study.ask()
    assert asked.setting.choice.passes == 3
    first = study.ladder.pass_step(0)
    study.tell_stopped(asked, Measured([0.5, 0.6], {0: 0.3, first: 0.5, first + 1: 0.6}), "too weak")

    stopped, *derived = study._trials()
    assert stopped.state is optuna.trial.TrialState.PRUNED
    assert (stopped.value, stopped.user_attrs["reason"]) == (0.6, "too weak")
    # A cap of 1 is what it trained; of a cap of 2 nobody knows.
    assert [(trial.params["passes"], trial.value) for trial in derived] == [(0, 0.5), (1, 0.6)]
    assert study.num_finished() == 1
    assert study.ask() is None


def narrow(**search):
    """A space of one drawn setting: what is drawn must repeat."""
    ranges = {
        "levels": 1,
        "counts": "divisors",
        "weight_ratios": [0.5],
        "scopes": ["by-layer"],
        "ratios": [0.1],
        "max_passes": 0,
        **search,
    }
    space = load_space("demo").model_dump() | {"num_classes": 4, "known": [], "search": ranges}
    return type(load_space("demo"))(**space)


def test_a_repeat_of_a_finished_setting_is_another_seed_of_it(tmp_path):
    study = open_study(tmp_path, space=narrow(), trials=3, seed=5)
    seeds = []
    for _ in range(3):
        asked = study.ask()
        seeds.append(asked.setting.seed)
        assert asked.setting.choice == Choice(
            superclasses=(2,), weight_ratio=0.5, scope="by-layer", ratio=0.1, passes=0
        )
        tell(study, asked, [0.5])
    assert [study.setting(number).seed for number in range(3)] == seeds
    # The next sweeps are begun with 6, 7, ...: what these find is to be found by networks of their own.
    assert seeds[0] == 5
    assert len({*seeds, *range(5, 105)}) == 100 + 2


def test_settings_that_run_at_the_same_time_do_not_repeat_either(tmp_path):
    study = open_study(tmp_path, space=narrow(), trials=3)
    assert len({study.ask().setting.seed for _ in range(3)}) == 3


def test_a_seed_survives_the_death_of_its_driver(tmp_path):
    dead = open_study(tmp_path, space=narrow(), trials=2)
    tell(dead, dead.ask(), [0.5])
    left = dead.ask()
    study = open_study(tmp_path, space=narrow(), trials=2)
    study.reconcile()
    assert study.ask().setting == left.setting


def test_what_a_longer_chain_has_told_is_not_drawn(tmp_path):
    # Two settings, of which the longer tells the shorter.
    study = open_study(tmp_path, space=narrow(max_passes=1, max_seeds=1), trials=8)
    seen = set()
    for _ in range(4):
        asked = study.ask()
        tell(study, asked, [0.5, 0.6][: 1 + asked.setting.choice.passes])
        seen.add((asked.setting.choice.passes, asked.setting.seed))
        if asked.setting.choice.passes:
            break
    assert (0, 1) not in seen


@pytest.mark.parametrize(
    ("chain", "known"),
    [([0.7, 0.6, 0.5], False), ([0.7, 0.6], True)],
    ids=["went to its cap", "was ended before"],
)
def test_what_more_passes_would_not_change_is_known(tmp_path, chain, known):
    # A chain that trained both of its passes says nothing of a third; one that ended by itself does.
    values = narrow(max_passes=3, ratios=[0.1, 0.2]).model_dump()
    first = {"source": "hand", "superclasses": [2], "weight_ratio": 0.5, "scope": "by-layer", "passes": 2}
    study = open_study(tmp_path, space=Space(**values | {"known": [first | {"ratio": 0.1}]}), trials=30)
    asked = study.ask()
    tell(study, asked, chain)
    longer, other = (
        asked.setting.choice.model_copy(update={"passes": 3, **changed}) for changed in ({}, {"ratio": 0.2})
    )
    assert (study._ledger.is_known(longer), study._ledger.is_known(other)) == (known, False)


def test_settings_that_differ_in_nothing_that_matters_are_repeats(tmp_path):
    known = [
        {"source": scope, "superclasses": [2], "weight_ratio": 0.5, "scope": scope, "ratio": 0.0, "passes": 0}
        for scope in ("by-layer", "altogether")
    ]
    space = narrow(ratios=[0.0], scopes=["by-layer", "altogether"])
    study = open_study(tmp_path, space=type(space)(**(space.model_dump() | {"known": known})), trials=2)
    assert len({study.ask().setting.seed for _ in range(2)}) == 2


def test_no_setting_is_drawn_whose_stage_was_stopped_at_in_another(tmp_path):
    study = open_study(tmp_path, trials=40, seed=3)
    stopped = set()
    while asked := study.ask():
        prefix = (asked.setting.choice.superclasses, asked.setting.choice.weight_ratio)
        # The best setting with another seed is judged by nobody.
        if asked.source == "drawn" and asked.setting.seed == 3:
            assert prefix not in stopped
            study.tell_stopped(asked, Measured([], {0: 0.2}), "too weak")
            stopped.add(prefix)
        else:
            tell(study, asked, [0.6])
    assert len(stopped) > 10


def test_rungs_are_remembered_for_the_next_driver(tmp_path):
    study = open_study(tmp_path, trials=3)
    tell(study, study.ask(), [0.5, 0.4, 0.6])
    asked = study.ask()
    study.tell_stopped(asked, Measured([], {0: 0.2}), "too weak")
    assert study.ladder.epochs == (2,)

    reached = open_study(tmp_path, trials=3).reached()
    first, second = load_space("demo").known[:2]
    assert reached == {
        (1, study.ladder.arm(first, 1)): 0.5,
        (2, study.ladder.arm(first, 2)): 0.5,
        (3, study.ladder.arm(first, 3)): 0.6,
        (0, study.ladder.arm(second, 0)): 0.2,
    }


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
