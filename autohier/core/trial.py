"""Running a trial: its recipe on a device and a stage store, its refit and its test results.

A stage may be evicted from the store while a trial that reuses it is still running. If its weights are needed
then, the stage is trained again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import StopRule
from autohier.core.recipes.base import StageRequest, run_recipe
from autohier.core.recipes.chain import after_passes, chain_end, chain_of, open_recipe, stage_kinds
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.cross_validation import FoldCallback, FoldedResult
from autohier.core.stages.executor import on_device
from autohier.core.stages.kinds.base import PlannedStage, StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.runner import run_stage
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.stage_key import stage_key
from autohier.core.training.evaluation import evaluate
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import Evaluation
from autohier.errors import StageDamagedError, TrialError

_LOG = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """All measurements of a finished trial."""

    config: TrialConfig
    stages: tuple[StageResult, ...]
    """Pass 1 and other flat stages, pass 2, prune 1, prune 2, ... as far as the chain was trained."""
    kept_pass: int
    """0 keeps pass 2 unpruned, k keeps the k-th pruning pass."""

    @property
    def pass_1(self) -> StageResult:
        """The flat recognizer of the classes."""
        return self.stages[0]

    @property
    def up_to_kept(self) -> tuple[StageResult, ...]:
        """All stages up to the kept pass."""
        return self.stages[: len(self.stages) - len(self.chain) + self.kept_pass + 1]

    @property
    def chain(self) -> tuple[StageResult, ...]:
        """Pass 2 and the pruning passes; position k is pass k."""
        return chain_of(self.stages)

    @property
    def kept(self) -> StageResult:
        """The pass with the best value of the objective, within a bound; the earliest of equals."""
        return self.chain[self.kept_pass]

    @property
    def accuracy(self) -> float:
        """Validation accuracy of the kept pass."""
        return self.kept.accuracy

    def epochs(self, *, reused: bool) -> int:
        """Return the number of epochs reused from the store or a checkpoint, or trained by this trial."""
        num_reused = sum(stage.epochs_reused for stage in self.stages)
        return num_reused if reused else sum(len(stage.epochs) for stage in self.stages) - num_reused

    def seconds(self, *, reused: bool) -> float:
        """Return the training time of the reused epochs, or of the epochs that this trial trained."""
        reused_s = sum(stage.seconds_reused for stage in self.stages)
        return reused_s if reused else sum(stage.seconds for stage in self.stages) - reused_s


@dataclass(frozen=True, slots=True)
class StoreRunner:
    """Answers the stage requests of a recipe: reuses stages from the store, or trains them on the device."""

    trial: TrialSetup
    hierarchy: Hierarchy | None = None
    """Superclasses of all stages that have any; None lets the stages' kinds choose them."""

    def __call__(self, request: StageRequest[StageResult]) -> StageResult:
        """Return the result of a stage.

        Raises:
            DivergedError: if training diverges.
            OutOfMemoryError: if the stage does not fit the memory.
        """
        if self.hierarchy is not None:
            request = replace(request, hierarchy=request.kind.own_hierarchy(self.hierarchy))
        if self.trial.fold_bases:
            return self._run_folds(replace(request, hierarchy=_hierarchy(request, self.trial)))
        stage = _plan(request, self.trial)
        context = self.trial.of_kind(request.kind).context
        return self.with_weights(
            request.ancestors,
            partial(run_stage, request.kind, stage, context, pass_index=request.pass_index),
            needed=frozenset(stage.inputs.parents),
        )

    def with_weights(
        self, stages: Sequence[StageResult], use: Callable[[], _T], *, needed: Collection[str] | None = None
    ) -> _T:
        """Call a function that loads the weights of stages; train those again that are missing.

        Callbacks are not called for a stage that is trained again, as the trial has reported it before.

        Args:
            stages: stages of the trial, oldest first.
            use: the function. It may be called again for every stage that is missing.
            needed: keys of the stages whose weights it loads; None for the last stage.
        """
        loaded = [stage for stage in stages if stage.key in needed] if needed is not None else stages[-1:]
        for _ in loaded:
            try:
                return use()
            except StageDamagedError as error:
                self._train_lost(stages, loaded, error)
        return use()

    def _train_lost(
        self, stages: Sequence[StageResult], loaded: Sequence[StageResult], error: StageDamagedError
    ) -> None:
        """Run the stages again whose weights were loaded; the store still has the others."""
        store = self.trial.context.store
        lost = [stage for stage in loaded if not all(store.holds(stage.kind, key) for key in stage.keys)]
        labels = ", ".join(stage.label for stage in lost or loaded)
        _LOG.warning("the weights of %s are missing; it is trained again: %s", labels, error)
        runner = StoreRunner(self.trial.with_callback(TrialCallback()))
        for stage in loaded:
            position = [each.key for each in stages].index(stage.key)
            ancestors = tuple(stages[:position])
            runner(StageRequest(stage.kind, ancestors, stage.pass_index, stage.hierarchy))

    def _run_folds(self, request: StageRequest[StageResult]) -> StageResult:
        callback = self.trial.context.callback
        folds = self.trial.folds(FoldCallback(callback))
        results = [
            StoreRunner(fold)(
                replace(request, ancestors=tuple(stage.fold(index) for stage in request.ancestors))
            )
            for index, fold in enumerate(folds)
        ]
        result = FoldedResult.of(results)
        callback.on_stage_end(result)
        return result


def _hierarchy(request: StageRequest[StageResult], trial: TrialSetup) -> Hierarchy:
    return request.hierarchy or request.kind.hierarchy(
        trial.config, request.ancestors, trial.given_superclasses()
    )


def _plan(request: StageRequest[StageResult], trial: TrialSetup) -> PlannedStage:
    rates = trial.rates_of(len(request.ancestors))
    base = trial.of_kind(request.kind).base
    return request.kind.plan(trial.config, base, request.ancestors, _hierarchy(request, trial), rates)


def run_trial(trial: TrialSetup, *, keeps_last: bool = False) -> TrialOutcome:
    """Run all stages of a trial's recipe and choose the pass that is kept.

    Args:
        trial: the trial.
        keeps_last: train exactly the config's number of passes and keep the last, so that nothing is chosen.

    Raises:
        DivergedError: if training diverges; finished stages stay in the store.
        OutOfMemoryError: if a stage does not fit the memory; finished stages stay in the store.
    """
    config = trial.config
    ends = after_passes(config.params.passes) if keeps_last else chain_end(config)
    stages = run_recipe(open_recipe(config, ends), StoreRunner(trial))
    return TrialOutcome(config, stages, config.params.passes) if keeps_last else finish(config, stages)


def finish(config: TrialConfig, stages: tuple[StageResult, ...]) -> TrialOutcome:
    """Choose the pass of a trial's chain that is kept: the best one within the bound on multiply-adds."""
    rule, bound, chain = StopRule(ties=config.pruning.ties), config.max_multiply_adds, chain_of(stages)
    values = [stage.measure(config.objective) for stage in chain]
    allowed = [bound is None or stage.cost.multiply_adds <= bound for stage in chain]
    return TrialOutcome(config, stages, rule.best_pass(values, allowed))


def train_pass_1(trial: TrialSetup) -> StageResult:
    """Train the first stage. All trials of a sweep share it, so that a sweep runs it before any of them."""
    return StoreRunner(trial)(_request_pass_1(trial))


def find_pass_1(trial: TrialSetup) -> StageResult | None:
    """Return pass 1 if it is in the store, without calling callbacks."""
    if trial.fold_bases:
        results = [find_pass_1(fold) for fold in trial.folds(TrialCallback())]
        return FoldedResult.of([each for each in results if each]) if all(results) else None
    kind, stage = plan_pass_1(trial)
    return trial.context.store.find(kind, stage_key(kind, stage.inputs))


def plan_pass_1(trial: TrialSetup) -> tuple[StageKind, PlannedStage]:
    """Return kind and inputs of the first stage; of the first fold if the trial has folds."""
    request = _request_pass_1(trial)
    return request.kind, _plan(request, trial)


def _request_pass_1(trial: TrialSetup) -> StageRequest[StageResult]:
    return StageRequest(stage_kinds(trial.config, 0)[0])


def rerun(trial: TrialSetup, kept_pass: int) -> StageResult:
    """Run a finished trial again up to the pass that it kept, if that is missing in the store."""
    return _run_chain(trial, kept_pass)[-1]


def _run_chain(
    trial: TrialSetup, kept_pass: int, hierarchy: Hierarchy | None = None
) -> tuple[StageResult, ...]:
    """Run the stages of a trial up to a pass, without the stop rule."""
    recipe = open_recipe(trial.config, after_passes(kept_pass))
    return run_recipe(recipe, StoreRunner(trial, hierarchy))


def to_refit(trial: TrialSetup, kept: StageResult) -> TrialSetup:
    """Set up a finished trial on all training clips, validation clips included; see `refit`.

    If the schedule follows the validation loss, the refit repeats the learning rates of the kept pass and its
    ancestors.
    """
    if not trial.config.optimisation.follows_validation:
        return trial.with_all_training_clips()
    stages = _run_chain(trial.with_callback(TrialCallback()), kept.pass_index, kept.hierarchy)
    return trial.with_all_training_clips(tuple(stage.rates for stage in stages))


def refit(everything: TrialSetup, kept: StageResult) -> tuple[StageResult, ...]:
    """Run a chosen config again on all training clips.

    The refit has the superclasses and the number of passes of the kept pass; nothing is chosen again.

    Args:
        everything: the return value of `to_refit`.
        kept: the pass that was kept.

    Returns:
        Pass 1 and other flat stages, pass 2 and the pruning passes up to the kept one.
    """
    return _run_chain(everything, kept.pass_index, kept.hierarchy)


def evaluate_on_test(trial: TrialSetup, outcome: TrialOutcome) -> list[tuple[str, Evaluation]]:
    """Evaluate a chosen trial on the test split. A sweep evaluates its winner only.

    Returns:
        Labels and evaluations of pass 1, pass 2 and the kept pass. With clean validation, the evaluations of
        the same stages refit on all training clips follow; with folds, only the refit is evaluated.
    """
    # A trial with folds has no single network to test; the refit has.
    test_results = [] if trial.fold_bases else _evaluate_chain(trial, outcome.up_to_kept, "")
    if trial.config.protocol.validation != "paper":
        try:
            everything = to_refit(trial, outcome.kept)
            test_results += _evaluate_chain(everything, refit(everything, outcome.kept), ", refit")
        except TrialError as error:
            if not test_results:
                raise
            _LOG.warning("the refit failed; only the trial itself is tested: %s", error)
    return test_results


def evaluate_further_refit(
    trial: TrialSetup, outcome: TrialOutcome, other: TrialSetup
) -> tuple[str, Evaluation]:
    """Refit a chosen trial with another seed and evaluate its last network on the test split.

    Args:
        trial: the chosen trial.
        outcome: its result; superclasses and the kept pass are taken from it.
        other: the same config with the other seed.

    Returns:
        Label and evaluation.
    """
    everything = other.with_all_training_clips(to_refit(trial, outcome.kept).rates)
    stages = refit(everything, outcome.kept)
    use = partial(evaluate_stage_on_test, everything, stages[-1])
    return f"{stages[-1].label}, refit", StoreRunner(everything).with_weights(stages, use)


def _evaluate_chain(
    trial: TrialSetup, stages: Sequence[StageResult], suffix: str
) -> list[tuple[str, Evaluation]]:
    test_results = []
    num_flat = len(stages) - len(chain_of(stages))
    for end in sorted({1, num_flat + 1, len(stages)}):
        evaluation = StoreRunner(trial).with_weights(
            stages[:end], partial(evaluate_stage_on_test, trial, stages[end - 1])
        )
        test_results.append((stages[end - 1].label + suffix, evaluation))
    return test_results


def evaluate_stage_on_test(trial: TrialSetup, result: StageResult) -> Evaluation:
    """Evaluate a finished stage on the test split.

    Raises:
        StageDamagedError: if its weights are missing or damaged.
    """
    return on_device(_evaluate_on_test, trial, result)


def _evaluate_on_test(trial: TrialSetup, result: StageResult) -> Evaluation:
    context, data_loader = trial.context, trial.of_kind(result.kind).data_loader
    return evaluate(
        trial.load_network(result),
        data_loader,
        "test",
        HierarchicalLoss(
            result.hierarchy,
            (1.0,) if result.kind.is_flat else trial.config.params.stack_weights,
            context.device.torch_device,
        ),
        num_sets=data_loader.test_sets,
        flip=data_loader.test_flip,
        autocast=context.device.autocast,
        by_pathway=True,
    )
