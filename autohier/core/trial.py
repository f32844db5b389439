"""One trial: pass 1, hierarchy, pass 2, pruning passes until the stop rule; the best pass is kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import StopRule
from autohier.core.stages.inputs import Pass1Inputs, Pass2Inputs, PruneInputs
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.pass_1 import run_pass_1
from autohier.core.stages.pass_2 import run_pass_2
from autohier.core.stages.prune import run_prune
from autohier.core.stages.result import StageResult
from autohier.core.training.evaluation import evaluate
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import Evaluation
from autohier.errors import TrialError
from autohier.settings.space import Setting

_LOG = logging.getLogger(__name__)


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
    choice = trial.setting.choice
    pass_1 = train_flat(trial)
    hierarchy = Hierarchy.from_confusion(pass_1.confusion_KK, choice.superclasses, seed=trial.setting.seed)
    pass_2 = _train_with(hierarchy, pass_1, trial)
    chain = [pass_2]
    rule = StopRule(ties=trial.setting.pruning.ties)
    while len(chain) <= choice.passes and not rule.should_stop([stage.accuracy for stage in chain]):
        chain.append(_prune_and_retrain(chain[-1], trial))
    kept_pass = rule.best_pass([stage.accuracy for stage in chain])
    return TrialOutcome(trial.setting, (pass_1, *chain), kept_pass)


def train_flat(trial: OpenTrial) -> StageResult:
    """Pass 1: shared by all trials of a sweep, so a sweep runs it before any of them."""
    setting = trial.setting
    inputs = Pass1Inputs(basis=trial.basis, optimisation=setting.optimisation, epochs=setting.pass_1.epochs)
    return run_pass_1(inputs, trial.context)


def refit(trial: OpenTrial, outcome: TrialOutcome) -> tuple[StageResult, ...]:
    """Run a chosen setting again, on all training clips, those that validated it included.

    Nothing is chosen any more: superclasses and the number of passes are those of the outcome.

    Returns:
        Pass 1, pass 2 and as many pruning passes as the outcome kept.
    """
    everything = trial.with_all_training_clips()
    pass_1 = train_flat(everything)
    chain = [_train_with(outcome.chain[0].hierarchy, pass_1, everything)]
    for _ in range(outcome.kept_pass):
        chain.append(_prune_and_retrain(chain[-1], everything))
    return (pass_1, *chain)


def read_tests(trial: OpenTrial, outcome: TrialOutcome) -> list[tuple[str, Evaluation]]:
    """Score a chosen trial on the test split; a sweep does so for its winner, and no other.

    Returns:
        What was read and its score: pass 1, pass 2 and the kept pass, and with clean validation the same
        three once more, refit on all training clips.
    """
    readings = _read_chain(trial, outcome.stages[: outcome.kept_pass + 2], "")
    if trial.setting.protocol.validation == "clean":
        try:
            readings += _read_chain(trial, refit(trial, outcome), ", refit")
        except TrialError as error:
            _LOG.warning("the refit failed, so that only the trial itself is read: %s", error)
    return readings


def _read_chain(trial: OpenTrial, stages: Sequence[StageResult], note: str) -> list[tuple[str, Evaluation]]:
    pass_1, pass_2, *pruned = stages
    told = [pass_1, pass_2, *pruned[-1:]]
    return [(stage.label + note, read_test(trial, stage)) for stage in told]


def read_test(trial: OpenTrial, result: StageResult) -> Evaluation:
    """Score a finished stage on the test split."""
    context, feed = trial.context, trial.feed
    flat = result.kind == "pass-1"
    network = context.build(trial.basis.network, result.hierarchy, seed=trial.setting.seed)
    tensors = context.store.load_weights(result.kind, result.key)
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    return evaluate(
        context.device.prepare(network),
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


def _train_with(hierarchy: Hierarchy, pass_1: StageResult, trial: OpenTrial) -> StageResult:
    setting = trial.setting
    inputs = Pass2Inputs(
        basis=trial.basis,
        optimisation=setting.optimisation.starting_at(setting.pass_2.learning_rate),
        epochs=setting.pass_2.epochs,
        assignments=hierarchy.assignments,
        weights=setting.choice.stack_weights,
        parent_key=pass_1.key if setting.pass_2.start == "pass-1" else None,
    )
    return run_pass_2(inputs, trial.context)


def _prune_and_retrain(parent: StageResult, trial: OpenTrial) -> StageResult:
    setting = trial.setting
    inputs = PruneInputs(
        basis=trial.basis,
        optimisation=setting.optimisation.starting_at(setting.pruning.learning_rate),
        epochs=setting.pruning.epochs,
        norm=setting.pruning.norm,
        floor=setting.pruning.floor,
        scope=setting.choice.scope,
        ratio=setting.choice.ratio,
        weights=setting.choice.stack_weights,
        parent_key=parent.key,
    )
    return run_prune(inputs, trial.context, parent=parent)
