"""The stage kinds of HAC: pass 1, pass 2 and pruning passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.inputs import BaseInputs, Pass1Inputs, Pass2Inputs, PruneInputs
from autohier.core.stages.kinds.base import PlannedStage, StageKind
from autohier.core.stages.preparations.pass_1 import prepare_pass_1
from autohier.core.stages.preparations.pass_2 import prepare_pass_2
from autohier.core.stages.preparations.prune import prepare_prune
from autohier.core.stages.result import StageResult


class Pass1(StageKind):
    """Pass 1: train the flat network."""

    name = "pass-1"
    version = 5
    is_flat = True

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return config.pass_1.epochs

    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """See `StageKind`."""
        return params.flat

    def hierarchy(
        self,
        config: TrialConfig,
        ancestors: Sequence[StageResult],  # noqa: ARG002
        given: Mapping[int, tuple[int, ...]],  # noqa: ARG002
    ) -> Hierarchy:
        """Return the classes alone."""
        return Hierarchy.flat(config.num_classes)

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],  # noqa: ARG002
        hierarchy: Hierarchy,  # noqa: ARG002
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        inputs = Pass1Inputs(
            base=base, optimisation=config.optimisation, epochs=self.epochs(config), rates=rates
        )
        return PlannedStage(inputs, partial(prepare_pass_1, inputs))


class Pass2(StageKind):
    """Pass 2: train with superclasses."""

    name = "pass-2"
    version = 5

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return config.pass_2.epochs

    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """See `StageKind`."""
        return params.prefix

    def hierarchy(
        self, config: TrialConfig, ancestors: Sequence[StageResult], given: Mapping[int, tuple[int, ...]]
    ) -> Hierarchy:
        """Derive superclasses from the confusion matrix of pass 1, or take the dataset's own."""
        return Hierarchy.from_confusion(
            ancestors[-1].confusion_KK, config.params.superclasses, given=given, seed=config.seed
        )

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        parent = ancestors[-1]
        inputs = Pass2Inputs(
            base=base,
            optimisation=config.optimisation.starting_at(config.pass_2.learning_rate),
            epochs=self.epochs(config),
            rates=rates,
            assignments=hierarchy.assignments,
            weights=config.params.stack_weights,
            heads=config.pass_2.heads,
            parent_key=None if config.pass_2.start == "initial" else parent.key,
        )
        return PlannedStage(inputs, partial(prepare_pass_2, inputs, parent.kind))


class Prune(StageKind):
    """Pruning pass: remove filters and retrain."""

    name = "prune"
    version = 5
    is_pruning = True

    def label(self, pass_index: int) -> str:
        """See `StageKind`."""
        return f"prune {pass_index}"

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return config.pruning.epochs

    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """See `StageKind`."""
        return params.chain

    def hierarchy(
        self,
        config: TrialConfig,  # noqa: ARG002
        ancestors: Sequence[StageResult],
        given: Mapping[int, tuple[int, ...]],  # noqa: ARG002
    ) -> Hierarchy:
        """Return the superclasses of the parent."""
        return ancestors[-1].hierarchy

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        parent = ancestors[-1]
        scope, ratio = config.params.pruning
        inputs = PruneInputs(
            base=base,
            optimisation=config.optimisation.starting_at(config.pruning.learning_rate),
            epochs=self.epochs(config),
            rates=rates,
            norm=config.pruning.norm,
            floor=config.pruning.floor,
            scope=scope,
            ratio=ratio,
            weights=config.params.stack_weights,
            parent_key=parent.key,
        )
        prepare = partial(prepare_prune, inputs, parent.kind, hierarchy, parent.pass_index + 1)
        return PlannedStage(inputs, partial(prepare, heads=parent.heads))


PASS_1, PASS_2, PRUNE = Pass1(), Pass2(), Prune()
