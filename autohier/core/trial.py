"""One trial: pass 1, hierarchy, pass 2, pruning passes until the stop rule; the best pass is kept.

A stage may be evicted from the store while a trial that has found it is still running. Where its weights are
needed then, it is computed again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import StopRule
from autohier.core.stages.folds import FoldedResult, FoldReporter
from autohier.core.stages.inputs import Pass1Inputs, Pass2Inputs, PruneInputs, stage_key
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.pass_1 import run_pass_1
from autohier.core.stages.pass_2 import run_pass_2
from autohier.core.stages.prune import run_prune
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageResult
from autohier.core.training.evaluation import evaluate
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import Evaluation
from autohier.errors import StageDamagedError, TrialError
from autohier.settings.space import Setting

_LOG = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """All that a finished trial has measured."""

    setting: Setting
    stages: tuple[StageResult, ...]
    """Pass 1, pass 2, prune 1, prune 2, ... as far as the chain was trained."""
    kept_pass: int
    """0 keeps pass 2 unpruned, k keeps the k-th pruning pass."""

    @property
    def pass_1(self) -> StageResult:
        """The flat recognizer."""
        return self.stages[0]

    @property
    def chain(self) -> tuple[StageResult, ...]:
        """Pass 2 and the pruning passes; position k is pass k."""
        return self.stages[1:]

    @property
    def kept(self) -> StageResult:
        """The pass with the best validation accuracy, the earliest of equals."""
        return self.chain[self.kept_pass]

    @property
    def accuracy(self) -> float:
        """Validation accuracy of the kept pass: what a search maximises."""
        return self.kept.accuracy

    def epochs(self, *, reused: bool) -> int:
        """Epochs found in the stage store (True), finished or from a run cut short, or trained (False)."""
        spared = sum(stage.epochs_spared for stage in self.stages)
        return spared if reused else sum(len(stage.epochs) for stage in self.stages) - spared

    def seconds(self, *, reused: bool) -> float:
        """Seconds that the store spared (True) or that stages took (False)."""
        spared = sum(stage.seconds_spared for stage in self.stages)
        return spared if reused else sum(stage.seconds for stage in self.stages) - spared


def run_trial(trial: OpenTrial) -> TrialOutcome:
    """Run HAC's whole method for one setting.

    Raises:
        DivergedError: where training diverges; finished stages stay in the store.
        OutOfMemoryError: where a stage does not fit the memory; so too.
    """
    pass_1 = train_flat(trial)
    hierarchy = _superclasses(pass_1, trial)
    chain = [_follow([pass_1], hierarchy, trial)]
    rule, passes = StopRule(ties=trial.setting.pruning.ties), trial.setting.choice.passes
    while len(chain) <= passes and not rule.should_stop([stage.accuracy for stage in chain]):
        chain.append(_follow([pass_1, *chain], hierarchy, trial))
    kept_pass = rule.best_pass([stage.accuracy for stage in chain])
    return TrialOutcome(trial.setting, (pass_1, *chain), kept_pass)


def train_flat(trial: OpenTrial) -> StageResult:
    """Pass 1: shared by all trials of a sweep, so a sweep runs it before any of them."""
    if trial.fold_bases:
        return _in_folds(trial, lambda fold, _: train_flat(fold))
    return run_pass_1(_flat_inputs(trial), trial.context)


def find_flat(trial: OpenTrial) -> StageResult | None:
    """Pass 1 where it is in the store, in the time that it takes to read it; nobody is told."""
    if trial.fold_bases:
        found = [find_flat(fold) for fold in trial.folds(Reporters())]
        return FoldedResult.of([each for each in found if each]) if all(found) else None
    return trial.context.store.find("pass-1", stage_key("pass-1", _flat_inputs(trial)))


def _flat_inputs(trial: OpenTrial) -> Pass1Inputs:
    setting = trial.setting
    return Pass1Inputs(
        basis=trial.basis,
        optimisation=setting.optimisation,
        epochs=setting.pass_1.epochs,
        rates=trial.rates_of(0),
    )


def rerun(trial: OpenTrial, kept_pass: int) -> StageResult:
    """Run a finished trial again as far as the pass that it kept: for where that is gone from the store."""
    return _run_to(kept_pass, trial)[-1]


def to_refit(trial: OpenTrial, kept: StageResult) -> OpenTrial:
    """A finished trial on all training clips, those that validated it included; see `refit`.

    Where a schedule follows validation, the learning rates are those that led to the kept pass.
    """
    if not trial.setting.optimisation.follows_validation:
        return trial.with_all_training_clips()
    stages = _run_to(kept.pass_index, _unheard(trial), kept.hierarchy)
    return trial.with_all_training_clips(tuple(stage.rates for stage in stages))


def refit(everything: OpenTrial, kept: StageResult) -> tuple[StageResult, ...]:
    """Run a chosen setting again, on all training clips.

    Nothing is chosen any more: superclasses and the number of passes are those of the pass that was kept.

    Args:
        everything: what `to_refit` gives.
        kept: the pass that was kept.

    Returns:
        Pass 1, pass 2 and as many pruning passes as led to the kept one.
    """
    return _run_to(kept.pass_index, everything, kept.hierarchy)


def _run_to(num_pruned: int, trial: OpenTrial, hierarchy: Hierarchy | None = None) -> tuple[StageResult, ...]:
    """Pass 1, pass 2 and a number of pruning passes; superclasses are derived where none are given."""
    stages = [train_flat(trial)]
    hierarchy = hierarchy or _superclasses(stages[0], trial)
    for _ in range(num_pruned + 1):
        stages.append(_follow(stages, hierarchy, trial))
    return tuple(stages)


def _superclasses(pass_1: StageResult, trial: OpenTrial) -> Hierarchy:
    return Hierarchy.from_confusion(
        pass_1.confusion_KK,
        trial.setting.choice.superclasses,
        given=trial.given_levels(),
        seed=trial.setting.seed,
    )


def read_tests(trial: OpenTrial, outcome: TrialOutcome) -> list[tuple[str, Evaluation]]:
    """Score a chosen trial on the test split; a sweep does so for its winner, and no other.

    Returns:
        What was read and its score: pass 1, pass 2 and the kept pass, and with clean validation the same
        three once more, refit on all training clips; with folds the refit ones alone.
    """
    # A trial of folds has no network of its own: refitting makes it.
    readings = [] if trial.fold_bases else _read_chain(trial, outcome.stages[: outcome.kept_pass + 2], "")
    if trial.setting.protocol.validation != "paper":
        try:
            everything = to_refit(trial, outcome.kept)
            readings += _read_chain(everything, refit(everything, outcome.kept), ", refit")
        except TrialError as error:
            if not readings:
                raise
            _LOG.warning("the refit failed, so that only the trial itself is read: %s", error)
    return readings


def _read_chain(trial: OpenTrial, stages: Sequence[StageResult], note: str) -> list[tuple[str, Evaluation]]:
    readings = []
    for end in sorted({1, 2, len(stages)}):
        *_, stage = stages[:end]
        evaluation = _with_weights_of(stages[:end], trial, partial(read_test, trial, stage))
        readings.append((stage.label + note, evaluation))
    return readings


def read_test(trial: OpenTrial, result: StageResult) -> Evaluation:
    """Score a finished stage on the test split.

    Raises:
        StageDamagedError: where its weights are gone or damaged.
    """
    context, feed = trial.context, trial.feed
    flat = result.kind == "pass-1"
    return evaluate(
        trial.load_network(result),
        feed,
        "test",
        HierarchicalLoss(
            result.hierarchy,
            (1.0,) if flat else trial.setting.choice.stack_weights,
            context.device.torch_device,
        ),
        num_sets=feed.test_sets,
        autocast=context.device.autocast,
    )


def _follow(done: Sequence[StageResult], hierarchy: Hierarchy, trial: OpenTrial) -> StageResult:
    """The stage that comes after those that are done: pass 2 after pass 1, then pruning passes."""
    if trial.fold_bases:
        return _in_folds(
            trial, lambda fold, index: _follow([stage.fold(index) for stage in done], hierarchy, fold)
        )
    run = (
        partial(_train_with, hierarchy, done[0], trial)
        if len(done) == 1
        else partial(_prune_and_retrain, done[-1], trial)
    )
    return _with_weights_of(done, trial, run)


def _in_folds(trial: OpenTrial, run: Callable[[OpenTrial, int], StageResult]) -> StageResult:
    folds = trial.folds(FoldReporter(trial.context.reporter))
    result = FoldedResult.of([run(fold, index) for index, fold in enumerate(folds)])
    trial.context.reporter.stage_finished(result)
    return result


def _with_weights_of(done: Sequence[StageResult], trial: OpenTrial, use: Callable[[], _T]) -> _T:
    """Do what needs the weights of the last of these stages; where they are gone, compute them again.

    That is logged and not reported, as the trial has reported the stage before.
    """
    try:
        return use()
    except StageDamagedError as error:
        _LOG.warning("the weights of %s are gone, and it is computed again: %s", done[-1].label, error)
    *before, gone = done
    if before:
        _follow(before, gone.hierarchy, _unheard(trial))
    else:
        train_flat(_unheard(trial))
    return use()


def _unheard(trial: OpenTrial) -> OpenTrial:
    return replace(trial, context=replace(trial.context, reporter=Reporters()))


def _train_with(hierarchy: Hierarchy, pass_1: StageResult, trial: OpenTrial) -> StageResult:
    setting = trial.setting
    inputs = Pass2Inputs(
        basis=trial.basis,
        optimisation=setting.optimisation.starting_at(setting.pass_2.learning_rate),
        epochs=setting.pass_2.epochs,
        rates=trial.rates_of(1),
        assignments=hierarchy.assignments,
        weights=setting.choice.stack_weights,
        parent_key=pass_1.key if setting.pass_2.start == "pass-1" else None,
    )
    return run_pass_2(inputs, trial.context)


def _prune_and_retrain(parent: StageResult, trial: OpenTrial) -> StageResult:
    setting = trial.setting
    scope, ratio = setting.choice.pruning
    inputs = PruneInputs(
        basis=trial.basis,
        optimisation=setting.optimisation.starting_at(setting.pruning.learning_rate),
        epochs=setting.pruning.epochs,
        rates=trial.rates_of(2 + parent.pass_index),
        norm=setting.pruning.norm,
        floor=setting.pruning.floor,
        scope=scope,
        ratio=ratio,
        weights=setting.choice.stack_weights,
        parent_key=parent.key,
    )
    return run_prune(inputs, trial.context, parent=parent)
