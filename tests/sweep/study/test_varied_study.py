"""The study of a search space with variants and training settings: samples, and shared stages."""

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.scheduling.rungs import Rungs
from autohier.sweep.scheduling.successive_halving import SuccessiveHalving
from autohier.sweep.study.sampling.search_space import decode
from support.sweep_runs.studies import complete, open_study
from support.sweep_runs.varied_spaces import varied_demo

RUNGS = Rungs(epochs=(2,), budgets=(2, 8, 11, 14), reduction_factor=4)
KEPT = "sampled, prefix kept"
INITIAL = "source='hand', superclasses=[2, 4], weight_ratio=0.5, scope='layerwise', ratio=0.1, passes=2"


def open_varied(folder, *overrides, **changes):
    return open_study(folder, space=varied_demo(*overrides), **changes)


def params(variant="plain", rate=1e-3, norm="l2"):
    return Hyperparameters(
        superclasses=(2, 4),
        weight_ratio=0.5,
        scope="layerwise",
        ratio=0.1,
        passes=2,
        variant=variant,
        settings={"pass_2.learning_rate": rate, "pruning.norm": norm},
    )


def test_the_next_driver_gets_the_same_variant_and_settings(tmp_path):
    initial = f"initial=[{{{INITIAL}, variant='deep', settings={{pruning.norm='layer-mean'}}}}]"
    sampled = open_varied(tmp_path, initial).next_trial()
    assert (sampled.config.recognizer.name, sampled.config.pass_2.epochs) == ("inflated-resnet34", 4)
    assert sampled.config.pruning.norm == "layer-mean"
    assert sampled.trial.params["variant"] == "deep"
    assert sampled.trial.params["pruning.norm"] == "layer-mean"
    study = open_varied(tmp_path, initial)
    study.reconcile()
    assert study.next_trial().config == sampled.config == study.config(0)


def test_the_parameters_leave_out_what_is_not_searched(tmp_path):
    study = open_study(tmp_path)
    assert study.next_trial().trial.params.keys() == {
        *("superclasses_1", "superclasses_2", "weight_ratio", "scope", "ratio", "passes"),
    }


def test_all_variants_and_values_are_sampled(tmp_path):
    study = open_varied(tmp_path, trials=30)
    all_params = []
    while sampled := study.next_trial():
        all_params.append(sampled.config.params)
        complete(study, sampled, [0.5 + 0.1 * (sampled.config.params.variant == "wide")])
    assert {params.variant for params in all_params} == {"plain", "wide", "deep"}
    assert {dict(params.settings)["clips.min_scale"] for params in all_params} == {0.5, 0.75, 1.0}


def test_a_kept_prefix_holds_what_pass_2_depends_on_and_no_more(tmp_path):
    study = open_varied(tmp_path, "search.keep_prefix=1.0", trials=24)
    trials = []
    while sampled := study.next_trial():
        trials.append((sampled.source, sampled.config.params))
        complete(study, sampled, [0.5 + sampled.config.params.weight_ratio / 10])
    kept = [(place, params) for place, (source, params) in enumerate(trials) if source == KEPT]
    assert len(kept) > 8
    for place, params in kept:
        assert params.prefix in {earlier.prefix for _, earlier in trials[:place]}
    assert {dict(params.settings)["pruning.norm"] for _, params in kept} == {"l2", "layer-mean"}


def test_pruning_settings_do_not_matter_without_pruning_passes(tmp_path):
    norms = [f"{{{INITIAL}, settings={{pruning.norm='{norm}'}}}}" for norm in ("l2", "layer-mean")]
    study = open_varied(tmp_path, f"initial=[{', '.join(norms)}]", trials=2)
    complete(study, study.next_trial(), [0.5, 0.6, 0.4])
    other = study.next_trial().config.params
    assert study._trial_index.is_known(other.model_copy(update={"passes": 0}))
    assert not study._trial_index.is_known(other.model_copy(update={"passes": 1}))
    observed = [decode(study._plan.space, seen.params) for seen in study._trial_index.observed]
    assert [(seen.passes, dict(seen.settings)["pruning.norm"]) for seen in observed] == [
        *((2, "l2"), (0, "l2"), (1, "l2")),
    ]


def test_variants_are_compared_with_each_other_and_counted_by_stage():
    scheduler = SuccessiveHalving((0.25, 0.5, 0.75, 1.0))

    def decide(config, value):
        return scheduler.decide(RUNGS.report(config, 0, value))

    assert decide(params("plain"), 0.6) is None
    assert "is below 60.00%, the best of 2 configs (25% continue)" in (decide(params("wide"), 0.5) or "")
    assert "of 3 configs" in (decide(params("plain", rate=2e-3), 0.5) or "")
    # The pruning norm changes nothing in pass 2, and every pruning pass.
    layers = params("plain", norm="layer-mean")
    assert decide(layers, 0.6) is None
    shared = [
        RUNGS.stage_params(params("plain"), step) == RUNGS.stage_params(layers, step) for step in range(4)
    ]
    assert shared == [True, True, False, False]
