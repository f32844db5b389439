"""Early stopping: what a trial reports at its rungs, and when an answer stops it."""

from dataclasses import replace

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.recipes.chain import by_stop_rule
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.sweep.scheduling.early_stopping import EarlyStopping, TrialStoppedError
from autohier.sweep.scheduling.rungs import Rungs, open_rungs
from support.fakes.fake_outcomes import PARAMS, fake_epoch, fake_outcome, replay

RUNGS = Rungs(epochs=(2,), budgets=(2, 8, 11, 14), reduction_factor=4)


def early_stopping(passes=2, *, decide):
    params = Hyperparameters(
        superclasses=(2, 4), weight_ratio=0.5, scope="layerwise", ratio=0.1, passes=passes
    )
    config = load_space("demo").config(params, seed=0)
    return EarlyStopping(RUNGS, params, by_stop_rule(config), decide)


def stop_at(step):
    return lambda report: "too weak" if report.step == step else None


def test_a_trial_reports_pass_2_and_the_best_of_its_passes():
    reports = []
    callback = early_stopping(decide=reports.append)
    # 120 validation clips; pass 1, then pass 2 and two pruning passes.
    outcome = fake_outcome(60, (78, 72, 84))
    replay(outcome, callback)
    second_epoch = outcome.chain[0].epochs[1].accuracy
    assert callback.chain == [0.65, 0.6, 0.7]
    assert callback.reached == {0: second_epoch, 1: 0.65, 2: 0.65, 3: 0.7}
    assert [(report.step, report.value) for report in reports] == list(callback.reached.items())


def test_with_two_objectives_a_pass_reports_its_own_value_and_cost():
    reports = []
    params = PARAMS.model_copy(update={"passes": 2})
    callback = EarlyStopping(RUNGS, params, lambda values: len(values) == 3, reports.append, has_cost=True)
    outcome = fake_outcome(60, (78, 72, 84))
    replay(outcome, callback)
    dense, *pruned = (stage.cost.multiply_adds for stage in outcome.chain)
    assert [report.value for report in reports[1:]] == [0.65, 0.6, 0.7]
    # Before pass 2 ends, its network has not been measured: that of pass 1 stands for it.
    costs = [outcome.pass_1.cost.multiply_adds, dense, *pruned]
    assert [report.multiply_adds for report in reports] == costs
    assert callback.costs == dict(enumerate(costs))


def test_with_one_objective_reports_have_no_cost():
    reports = []
    callback = early_stopping(decide=reports.append)
    replay(fake_outcome(60, (78, 72, 84)), callback)
    assert {report.multiply_adds for report in reports} == {None}


def by_class(result, value):
    """Return a copy of a stage or epoch with another mean class accuracy."""
    return replace(result, stack_mean_class_accuracies=(*result.stack_mean_class_accuracies[:-1], value))


def test_a_trial_reports_the_objective_of_its_search():
    outcome = fake_outcome(60, (78, 72, 84))
    chain = [by_class(stage, value) for stage, value in zip(outcome.chain, (0.5, 0.6, 0.4), strict=True)]
    chain[0] = replace(chain[0], epochs=tuple(by_class(epoch, 0.3) for epoch in chain[0].epochs))
    params = Hyperparameters(superclasses=(2, 4), weight_ratio=0.5, scope="layerwise", ratio=0.1, passes=2)
    callback = EarlyStopping(
        RUNGS, params, lambda values: len(values) == 3, lambda _: None, objective="mean-class"
    )
    replay(replace(outcome, stages=(outcome.pass_1, *chain)), callback)
    assert callback.chain == [0.5, 0.6, 0.4]
    assert callback.reached == {0: 0.3, 1: 0.5, 2: 0.6, 3: 0.6}


def test_an_epoch_of_an_older_version_without_the_objective_reports_nothing():
    callback = EarlyStopping(RUNGS, PARAMS, lambda _: False, lambda _: None, objective="mean-class")
    epoch = replace(fake_epoch(1, 78, 3), stack_mean_class_accuracies=())
    callback.on_epoch_end(PASS_2, 0, epoch, reused=True)
    assert callback.reached == {}


def test_a_trial_ends_at_the_rung_that_stops_it():
    callback = early_stopping(decide=stop_at(2))
    with pytest.raises(TrialStoppedError, match="too weak"):
        replay(fake_outcome(60, (78, 72, 84)), callback)
    assert callback.chain == [0.65, 0.6]


def test_the_answer_after_the_last_pass_is_ignored():
    callback = early_stopping(passes=1, decide=stop_at(2))
    replay(fake_outcome(60, (78, 72)), callback)
    assert callback.reached[2] == 0.65


def test_the_answer_is_ignored_if_the_stop_rule_ends_the_chain():
    callback = early_stopping(passes=3, decide=stop_at(3))
    # Passes 1 and 2 are below pass 2, which ends the chain by HAC's rule.
    replay(fake_outcome(60, (78, 72, 71)), callback)
    assert callback.reached[3] == 0.65
    rising = early_stopping(passes=3, decide=stop_at(3))
    with pytest.raises(TrialStoppedError, match="too weak"):
        replay(fake_outcome(60, (78, 72, 79)), rising)


def test_epochs_between_rungs_are_not_reported():
    callback = early_stopping(decide=lambda _: "too weak")
    callback.on_epoch_end(PASS_1, 0, fake_epoch(1, 60, 1), reused=False)
    callback.on_epoch_end(PASS_2, 0, fake_epoch(0, 60, 1), reused=False)
    callback.on_epoch_end(PRUNE, 1, fake_epoch(1, 60, 1), reused=False)
    with pytest.raises(TrialStoppedError, match="too weak"):
        callback.on_epoch_end(PASS_2, 0, fake_epoch(1, 60, 1), reused=False)


def test_the_answer_within_a_reused_stage_is_ignored():
    reports = []
    callback = early_stopping(decide=lambda report: reports.append(report) or "too weak")
    last_epoch = RUNGS.epochs[0] - 1
    callback.on_stage_start(PASS_2, 0, reused=True)
    callback.on_epoch_end(PASS_2, 0, fake_epoch(last_epoch, 60, 1), reused=True)
    assert [report.step for report in reports] == [0]
    callback.on_stage_start(PASS_2, 0, reused=False)
    with pytest.raises(TrialStoppedError, match="too weak"):
        callback.on_epoch_end(PASS_2, 0, fake_epoch(last_epoch, 60, 1), reused=True)


def test_the_first_initial_config_is_never_stopped():
    """A published weight ratio is rounded in the space's table; the trial runs with the table's."""
    space = load_space("demo", ["search.weight_ratios=[0.333333, 0.5]"])
    first = space.initial[0].model_copy(update={"weight_ratio": 1 / 3})
    rungs = open_rungs(space.model_copy(update={"initial": (first,)}))
    for ratio in (0.333333, 1 / 3):
        params = space.complete(first.as_params()).model_copy(update={"weight_ratio": ratio})
        EarlyStopping(rungs, params, lambda _: False, lambda _: "too weak").after_pass(0, 0.1)
    other = params.model_copy(update={"weight_ratio": 0.5})
    with pytest.raises(TrialStoppedError, match="too weak"):
        EarlyStopping(rungs, other, lambda _: False, lambda _: "too weak").after_pass(0, 0.1)
    assert open_rungs(space.model_copy(update={"initial": ()})).unstopped == frozenset()
