"""The parameters of a study: hyperparameters as people read them, and back."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from autohier.config.search.loading import load_space, shipped_spaces
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.errors import InputError
from autohier.sweep.paths import SweepFolder
from autohier.sweep.study.ended_trials import read_study_trials
from autohier.sweep.study.parameters import parameter_distributions, parameters, params_of
from autohier.sweep.study.sampling.search_space import decode
from autohier.sweep.study.storages.storage import in_memory_storage, open_storage
from autohier.sweep.study.study import Measurements, SweepStudy
from autohier.sweep.study.warm_start import results_of
from support.sweep_runs.plans import make_plan, make_provenance
from support.sweep_runs.studies import complete, open_study
from support.sweep_runs.varied_spaces import varied_demo

SPACES = {name: load_space(name) for name in shipped_spaces()} | {
    "varied": varied_demo(),
    "mixed": varied_demo(
        "search.settings.clips.flip=[false, true]",
        "search.settings.pass_2.learning_rate=[0.02, 0.001, 0.1]",
    ),
}


@given(data=st.data(), name=st.sampled_from(sorted(SPACES)))
def test_every_config_is_read_back(data, name):
    space = SPACES[name]
    search = space.search
    code = {
        **{f"fanout_{level + 1}": data.draw(st.floats(0, 1)) for level in range(search.levels)},
        "weight_ratio": data.draw(st.integers(0, len(search.weight_ratios) - 1)),
        "scope": data.draw(st.sampled_from(search.scopes)),
        "ratio": data.draw(st.integers(0, len(search.ratios) - 1)),
        "passes": data.draw(st.integers(0, search.max_passes)),
        **({"variant": data.draw(st.sampled_from(sorted(search.variants)))} if search.variants else {}),
        **{name: data.draw(st.integers(0, len(table) - 1)) for name, table in search.settings.items()},
    }
    params = decode(space, code)
    plain = parameters(space, params)
    # create_trial checks that each distribution contains its value.
    trial = create_trial(value=0.5, params=plain, distributions=parameter_distributions(space, params))
    assert params_of(space, trial) == params
    assert plain["weight_ratio"] == params.weight_ratio
    assert [plain[f"superclasses_{level + 1}"] for level in range(search.levels)] == [*params.superclasses]


def test_numbers_have_axes_and_other_values_are_categories():
    space = SPACES["mixed"]
    of_name = parameter_distributions(space, space.complete(space.initial[0].as_params()))
    assert of_name["superclasses_1"] == IntDistribution(2, 6, log=True)
    assert of_name["passes"] == IntDistribution(0, 3)
    assert of_name["pass_2.learning_rate"] == FloatDistribution(0.001, 0.1, log=True)
    assert of_name["clips.min_scale"] == FloatDistribution(0.5, 1.0)
    assert of_name["clips.flip"] == CategoricalDistribution((False, True))
    assert of_name["variant"] == CategoricalDistribution(("plain", "wide", "deep"))


def test_a_control_outside_the_ranges_has_parameters():
    space = load_space("demo", ["search.ratios=[0.1, 0.2]", "initial=[]"])
    plain, of_name = parameters(space, FLAT_PARAMS), parameter_distributions(space, FLAT_PARAMS)
    assert plain == {"weight_ratio": 1.0, "scope": "layerwise", "ratio": 0.0, "passes": 0}
    assert of_name["ratio"] == FloatDistribution(0.0, 0.2)
    trial = create_trial(value=0.5, params=plain, distributions=of_name)
    assert params_of(space, trial) == FLAT_PARAMS


def test_optuna_reads_a_journal_as_people_expect(tmp_path: Path):
    study = open_study(tmp_path, trials=2)
    finished = study.next_trial()
    assert finished is not None
    complete(study, finished, [0.5, 0.6, 0.4], {"epochs_computed": 17, "kept_pass": 1})
    stopped = study.next_trial()
    assert stopped is not None
    study.record_pruned(stopped, Measurements([], {0: 0.3}), "too weak")

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "sweep" / "study.journal")))
    (name,) = optuna.get_all_study_names(storage)
    loaded = optuna.load_study(study_name=name, storage=storage)
    assert loaded.metric_names == ["validation accuracy"]
    first, second = loaded.trials
    initial = load_space("demo").initial[0]
    assert first.params == {
        "superclasses_1": initial.superclasses[0],
        "superclasses_2": initial.superclasses[1],
        "weight_ratio": initial.weight_ratio,
        "scope": initial.scope,
        "ratio": initial.ratio,
        "passes": initial.passes,
    }
    assert (first.value, first.intermediate_values) == (0.6, {8: 0.5, 11: 0.6, 14: 0.6})
    shown = {key: first.user_attrs[key] for key in ("trial", "config", "epochs_computed", "kept_pass")}
    assert shown == {
        "trial": "t0000",
        "config": initial.as_params().settings_text,
        "epochs_computed": 17,
        "kept_pass": 1,
    }
    assert (second.state, second.value, second.intermediate_values) == (TrialState.PRUNED, 0.3, {2: 0.3})
    assert (second.user_attrs["trial"], second.user_attrs["reason"]) == ("t0001", "too weak")
    assert loaded.best_trial.number == 0
    assert loaded.trials_dataframe()["params_weight_ratio"][0] == initial.weight_ratio


def old_journal(folder: Path) -> None:
    """Write a sweep's study as earlier versions did: with codes as parameters, and no format."""
    old = optuna.create_study(
        study_name="sweep", storage=JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    )
    code = {"weight_ratio": 7}
    old.add_trial(create_trial(value=0.5, params=code, distributions={"weight_ratio": IntDistribution(0, 9)}))


def test_a_study_of_an_earlier_version_is_refused_wherever_it_is_read(tmp_path: Path):

    folder = SweepFolder(tmp_path / "sweep")
    folder.path.mkdir()
    plan = make_plan(tmp_path)
    folder.write_plan(plan, make_provenance())
    old_journal(folder.path)
    message = (
        r"study 'sweep' must have format 2, but got 1: use the autohier version that wrote it, or start a new"
    )
    for read in (
        lambda: SweepStudy(plan, open_storage(None, folder.journal_file)),
        lambda: read_study_trials(plan, folder.journal_file),
        lambda: results_of(folder.path, plan.space),
    ):
        with pytest.raises(InputError, match=message):
            read()


def test_a_study_that_a_driver_just_created_gets_its_format(tmp_path: Path):
    plan, storage = make_plan(tmp_path), in_memory_storage()
    optuna.create_study(study_name=plan.study_name, storage=storage, direction="maximize")
    SweepStudy(plan, storage)
    study = optuna.load_study(study_name=plan.study_name, storage=storage)
    assert (study.user_attrs, study.metric_names) == ({"format": 2}, ["validation accuracy"])
