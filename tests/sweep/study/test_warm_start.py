"""Warm start: results of an earlier sweep enter a new study once, in its own parameters."""

import shutil

import pytest

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep.paths import SweepFolder
from autohier.sweep.study.parameters import params_of
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import Measurements, SweepStudy
from autohier.sweep.study.warm_start import results_of
from support.sweep_runs.plans import make_plan, make_provenance
from support.sweep_runs.varied_spaces import SETTINGS, VARIANTS


@pytest.fixture
def earlier(tmp_path):
    """Folder of a finished sweep of the demo: one complete chain of two passes, and one pruned trial."""
    plan = make_plan(tmp_path, trials=2)
    folder = SweepFolder(tmp_path / "earlier")
    folder.path.mkdir()
    folder.write_plan(plan, make_provenance())
    study = SweepStudy(plan, open_storage(None, folder.journal_file))
    study.record_complete(study.next_trial(), Measurements([0.5, 0.6, 0.55], {1: 0.5, 2: 0.6, 3: 0.6}), {})
    study.record_pruned(study.next_trial(), Measurements([], {0: 0.3}), "too weak")
    return folder.path


def add_stopped(folder, *chain):
    """Add a trial to the sweep that was stopped after these passes."""
    plan, _ = SweepFolder(folder).read_plan()
    plan = plan.model_copy(update={"trials": 3})
    study = SweepStudy(plan, open_storage(None, SweepFolder(folder).journal_file))
    study.record_pruned(study.next_trial(), Measurements(chain, {1: chain[0], 2: chain[1]}), "too weak")


def values(study):
    """Return what the sampler observes: passes and values."""
    return [(seen.params["passes"], seen.value) for seen in study._trial_index.observed]


def test_complete_trials_and_shorter_chains_are_added(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new")
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    study.add_results(results_of(earlier, plan.space))
    # The pruned trial has measured no pass: where it stopped depends on the trials it was compared with.
    assert values(study) == [(3, 0.6), (0, 0.5), (1, 0.6), (2, 0.6)]
    assert (study.num_sampled(), study.num_finished()) == (0, 0)
    assert [trial.user_attrs["warm_from"] for trial in study._trials()] == [
        "sweep 2026-01-01T12:00:00+00:00 0"
    ]


def test_a_copy_of_a_sweep_adds_nothing(tmp_path, earlier):
    copy = shutil.copytree(earlier, tmp_path / "elsewhere" / "copy")
    plan = make_plan(tmp_path, study_name="new", name="new")
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    for folder in (earlier, copy):
        study.add_results(results_of(folder, plan.space))
    assert values(study) == [(3, 0.6), (0, 0.5), (1, 0.6), (2, 0.6)]


def test_a_stopped_chain_gives_the_configs_whose_passes_it_trained(tmp_path, earlier):
    add_stopped(earlier, 0.4, 0.7)
    plan = make_plan(tmp_path, study_name="new", name="new")
    _, stopped = results_of(earlier, plan.space)
    assert (stopped.state.name, stopped.params["passes"], stopped.value) == ("COMPLETE", 1, 0.7)


def test_a_driver_may_die_while_it_adds_results(tmp_path, earlier):
    add_stopped(earlier, 0.4, 0.7)
    plan = make_plan(tmp_path, study_name="new", name="new")
    results = results_of(earlier, plan.space)
    dead = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    dead.add_results(results[:1])
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    study.add_results(results)
    expected = [(3, 0.6), (0, 0.5), (1, 0.6), (2, 0.6), (1, 0.7), (0, 0.4)]
    assert values(study) == expected
    # The next driver observes them in the same order.
    assert values(SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))) == expected


def test_results_on_other_clips_are_refused(tmp_path):
    folder = SweepFolder(tmp_path / "earlier")
    folder.path.mkdir()
    plan = make_plan(tmp_path, trials=1).model_copy(update={"clips_fingerprint": "a" * 64})
    folder.write_plan(plan, make_provenance())
    SweepStudy(plan, open_storage(None, folder.journal_file))
    for same in ("a" * 64, None):
        assert results_of(folder.path, plan.space, same) == []
    with pytest.raises(
        InputError, match=r"a sweep of the same prepared clips, .* which used other clips: leave"
    ):
        results_of(folder.path, plan.space, "b" * 64)


def test_configs_outside_the_new_space_are_left_out(earlier):
    space = load_space("demo", ["search.max_passes=1", "initial=[]"])
    results = results_of(earlier, space)
    assert [(trial.params["passes"], trial.value, trial.user_attrs["chain"]) for trial in results] == [
        (1, 0.6, [0.5, 0.6])
    ]


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


def test_a_sweep_of_another_objective_is_not_comparable(earlier):
    with pytest.raises(
        InputError, match=r"same search\.objective, but got accuracy in .*, not mean-class: leave"
    ):
        results_of(earlier, load_space("demo", ["search.objective=mean-class"]))


def test_a_sweep_that_never_began_is_refused(tmp_path):
    folder = SweepFolder(tmp_path / "planned")
    folder.path.mkdir()
    folder.write_plan(make_plan(tmp_path), make_provenance())
    with pytest.raises(InputError, match="--warm-from must name a sweep that has begun"):
        results_of(folder.path, load_space("demo"))


def test_sweeps_of_one_name_are_distinguished(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new")
    twin = shutil.copytree(earlier, tmp_path / "elsewhere" / earlier.name)
    folder = SweepFolder(twin)
    folder.write_plan(folder.read_plan()[0], make_provenance("2026-01-02T12:00:00+00:00"))
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    for path in (earlier, twin):
        study.add_results(results_of(path, plan.space))
    assert len(values(study)) == 8


def test_a_config_with_a_result_of_another_sweep_may_still_run(tmp_path, earlier):
    plan = make_plan(tmp_path, study_name="new", name="new", trials=1)
    study = SweepStudy(plan, open_storage(None, tmp_path / "new.journal"))
    study.add_results(results_of(earlier, plan.space))
    assert study._trial_index.adds_information(study.next_trial().config.params) is False  # it runs now
    params = params_of(plan.space, study._trials()[0])
    fresh = SweepStudy(make_plan(tmp_path, study_name="x"), open_storage(None, tmp_path / "x.journal"))
    fresh.add_results(results_of(earlier, plan.space))
    assert fresh._trial_index.adds_information(params)


def test_a_missing_sweep_is_refused(tmp_path):
    with pytest.raises(InputError, match="a sweep must exist"):
        results_of(tmp_path / "nowhere", load_space("demo"))


def results_across(folder, overrides, *new):
    """Return the variants and settings of a sweep's results in another search space."""
    plan = make_plan(folder, space=load_space("demo", overrides), trials=2)
    earlier = SweepFolder(folder / "varied")
    earlier.path.mkdir()
    earlier.write_plan(plan, make_provenance())
    study = SweepStudy(plan, open_storage(None, earlier.journal_file))
    while sampled := study.next_trial():
        study.record_complete(sampled, Measurements([0.5], {1: 0.5}), {})
    space = load_space("demo", new)
    return {params_of(space, trial).variant_text for trial in results_of(earlier.path, space)}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (VARIANTS, {"variant plain"}),
        # The overrides of a variant matter; the other variants do not.
        (VARIANTS[:1], {"variant plain"}),
        (("search.variants.plain.recognizer.width=0.25",), set()),
        (("search.variants.other={}",), set()),
        # A setting that was not searched was trained with the search space's own value.
        ((*VARIANTS, SETTINGS[2]), {"variant plain, pruning.norm l2"}),
        ((*VARIANTS, "search.settings.pruning.epochs=[4, 5]"), set()),
    ],
)
def test_a_result_is_used_if_it_would_be_trained_in_the_same_way(tmp_path, new, expected):
    # The demo's initial configs name no variant and get the first one, plain.
    assert results_across(tmp_path, VARIANTS, *new) == expected


def test_results_without_variants_belong_to_the_one_that_changes_nothing(tmp_path):
    assert results_across(tmp_path, (), *VARIANTS) == {"variant plain"}


TWO = "search.second_objective=multiply-adds"


@pytest.mark.parametrize(
    ("before", "after", "chain", "passes", "values"),
    [
        # The stop rule ends the chain after two bad passes; without it, a third pass would follow.
        ([], [TWO], [0.6, 0.5, 0.55], 2, [0.6, 200]),
        ([TWO], [TWO], [0.6, 0.5, 0.55, 0.7], 3, [0.7, 50]),
        # The rule would have ended the chain before its best pass.
        ([TWO], [], [0.6, 0.5, 0.55, 0.7], 3, [0.6]),
    ],
)
def test_a_chain_ends_as_in_the_new_search(tmp_path, before, after, chain, passes, values):
    plan = make_plan(tmp_path, trials=1, space=load_space("demo", before))
    folder = SweepFolder(tmp_path / "earlier")
    folder.path.mkdir()
    folder.write_plan(plan, make_provenance())
    study = SweepStudy(plan, open_storage(None, folder.journal_file))
    sampled = study.next_trial()
    assert (sampled.config.params.passes, sampled.config.params.ratio > 0) == (3, True)
    costs = [200, 150, 100, 50][: len(chain)]
    study.record_complete(sampled, Measurements(chain, {}), {"chain_multiply_adds": costs})
    (result,) = results_of(folder.path, load_space("demo", after))
    assert (result.params["passes"], result.values) == (passes, values)


def test_a_sweep_that_did_not_record_costs_gives_a_search_for_the_front_nothing(earlier):
    assert results_of(earlier, load_space("demo", [TWO])) == []
    assert len(results_of(earlier, load_space("demo"))) == 1
