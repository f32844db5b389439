"""A new study is told what an earlier sweep found, once, in its own parameters."""

import shutil

import pytest

from autohier.errors import InputError
from autohier.settings.loading import load_space
from autohier.sweep.coding import decode
from autohier.sweep.folder import SweepFolder
from autohier.sweep.storage import open_storage
from autohier.sweep.study import Measured, SweepStudy
from autohier.sweep.warming import results_of
from plans import make_plan, make_provenance
from varied_spaces import SETTINGS, VARIANTS


@pytest.fixture
def earlier(tmp_path):
    """A finished sweep of the demo: two known settings, a chain of two passes and one that was stopped."""
    plan = make_plan(tmp_path, trials=2)
    folder = SweepFolder(tmp_path / "earlier")
    folder.path.mkdir()
    folder.write_plan(plan, make_provenance())
    study = SweepStudy(plan, open_storage(None, folder.journal_file))
    study.tell_complete(study.ask(), Measured([0.5, 0.6, 0.55], {1: 0.5, 2: 0.6, 3: 0.6}), {})
    study.tell_stopped(study.ask(), Measured([], {0: 0.3}), "too weak")
    return folder.path


def told(study):
    return [(trial.params["passes"], trial.value) for trial in study._trials()]


def test_complete_settings_and_what_they_say_of_shorter_chains_are_told(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new")
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    study.warm(results_of(earlier, plan.space))
    # The stopped one tells nothing: how far it came depends on those that it was compared with.
    assert told(study) == [(3, 0.6), (0, 0.5), (1, 0.6), (2, 0.6)]
    assert (study.num_asks(), study.num_finished()) == (0, 0)
    assert {trial.user_attrs["warm_from"] for trial in study._trials()} == {
        f"{earlier} {number}" for number in (0, 1, 2, 3)
    }


def test_a_driver_may_die_while_it_tells(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new")
    results = results_of(earlier, plan.space)
    dead = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    dead.warm(results[:2])
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    study.warm(results)
    assert told(study) == [(3, 0.6), (0, 0.5), (1, 0.6), (2, 0.6)]


def test_results_on_other_clips_are_refused(tmp_path):
    folder = SweepFolder(tmp_path / "earlier")
    folder.path.mkdir()
    plan = make_plan(tmp_path, trials=1).model_copy(update={"clips_fingerprint": "a" * 64})
    folder.write_plan(plan, make_provenance())
    SweepStudy(plan, open_storage(None, folder.journal_file))
    for same in ("a" * 64, None):
        assert results_of(folder.path, plan.space, same) == []
    with pytest.raises(
        InputError, match=r"a sweep of the same prepared clips, .* whose clips were others: leave"
    ):
        results_of(folder.path, plan.space, "b" * 64)


def test_settings_that_the_new_space_cannot_draw_are_left_out(earlier):
    space = load_space("demo", ["search.max_passes=1", "known=[]"])
    results = results_of(earlier, space)
    assert [(trial.params["passes"], trial.value) for trial in results] == [(0, 0.5), (1, 0.6)]


def test_a_sweep_of_another_protocol_is_not_comparable(earlier):
    space = load_space("demo", ["protocol.validation=paper"])
    with pytest.raises(InputError, match="--warm-from must name a sweep of the same protocol"):
        results_of(earlier, space)


@pytest.mark.parametrize(
    ("override", "name"),
    [("pass_2.epochs=1", "pass_2"), ("recognizer.width=0.5", "recognizer"), ("clips.num_frames=4", "clips")],
)
def test_a_sweep_of_another_recipe_is_not_comparable(earlier, override, name):
    with pytest.raises(InputError, match=f"--warm-from must name a sweep of the same {name}"):
        results_of(earlier, load_space("demo", [override]))


def test_a_sweep_that_never_began_is_told(tmp_path):
    folder = SweepFolder(tmp_path / "planned")
    folder.path.mkdir()
    folder.write_plan(make_plan(tmp_path), make_provenance())
    with pytest.raises(InputError, match="--warm-from must name a sweep that has begun"):
        results_of(folder.path, load_space("demo"))


def test_sweeps_of_one_name_are_told_apart(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new")
    twin = shutil.copytree(earlier, tmp_path / "elsewhere" / earlier.name)
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    for path in (earlier, twin):
        study.warm(results_of(path, plan.space))
    assert len(told(study)) == 8


def test_a_setting_that_another_sweep_found_may_still_be_run(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new", trials=1)
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    study.warm(results_of(earlier, plan.space))
    assert study._is_worth_running(study.ask().setting.choice) is False  # it runs now
    found = decode(plan.space, study._trials()[0].params)
    fresh = SweepStudy(make_plan(tmp_path, study_name="x"), open_storage(None, tmp_path / "x.journal"))
    fresh.warm(results_of(earlier, plan.space))
    assert fresh._is_worth_running(found)


def test_a_sweep_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="a sweep must exist"):
        results_of(tmp_path / "nowhere", load_space("demo"))


def warm(folder, overrides, *new):
    """What a sweep of one space tells another: the variants and settings of its results."""
    plan = make_plan(folder, space=load_space("demo", overrides), trials=2)
    earlier = SweepFolder(folder / "varied")
    earlier.path.mkdir()
    earlier.write_plan(plan, make_provenance())
    study = SweepStudy(plan, open_storage(None, earlier.journal_file))
    while asked := study.ask():
        study.tell_complete(asked, Measured([0.5], {1: 0.5}), {})
    space = load_space("demo", new)
    return {decode(space, trial.params).recipe_text for trial in results_of(earlier.path, space)}


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (VARIANTS, {"variant plain"}),
        # What a variant does matters, and what stands beside it does not.
        (VARIANTS[:1], {"variant plain"}),
        (("search.variants.plain.recognizer.width=0.25",), set()),
        (("search.variants.other={}",), set()),
        # Of a setting that was not searched, what was trained is the space's own value.
        ((*VARIANTS, SETTINGS[2]), {"variant plain, pruning.norm l2"}),
        ((*VARIANTS, "search.settings.pruning.epochs=[4, 5]"), set()),
    ],
)
def test_a_result_is_told_where_it_would_be_trained_in_the_same_way(tmp_path, new, told):
    # The demo's known settings name no variant, and so are of the first, plain.
    assert warm(tmp_path, VARIANTS, *new) == told


def test_a_space_without_variants_tells_the_one_that_changes_nothing(tmp_path):
    assert warm(tmp_path, (), *VARIANTS) == {"variant plain"}
