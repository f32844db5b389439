"""The stage kinds of the recipe joint: a base for each pathway, and the joint stage on frozen bases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.recognizers import PATHWAYS, PathwayName, ThreePathwaySettings
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.inputs import BaseInputs, BaseStageInputs, JointInputs
from autohier.core.stages.kinds.base import PlannedStage, StageKind, values_without
from autohier.core.stages.preparations.bases import prepare_base, prepare_joint
from autohier.core.stages.result import StageResult
from autohier.errors import InputError


class Base(StageKind):
    """Base: train the network of one pathway alone, for its own level, on its own number of frames.

    The finest pathway is trained for the classes, each coarser one for the next coarser level. If the trial
    has fewer levels, the coarsest pathways share the coarsest level.
    """

    version = 1
    is_flat = True
    pathway: ClassVar[PathwayName]

    def own_config(self, config: TrialConfig) -> TrialConfig:
        """Return the config with the pathway's network on clips of its own number of frames."""
        joint = three_pathways(config)
        clips = config.clips.model_copy(update={"num_frames": joint.frames_of(self.pathway)})
        return config.model_copy(update={"recognizer": joint.network_of(self.pathway), "clips": clips})

    def target_level(self, num_levels: int) -> int:
        """Return the level of the pathway; the classes are the last level, that of the finest pathway."""
        depth = len(PATHWAYS) - PATHWAYS.index(self.pathway)
        return max(0, num_levels - depth)

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return config.pass_1.epochs

    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """Return the values of pass 1 without those of other pathways, and the number of superclasses."""
        others = {"recognizer.joint_width"}
        for other in PATHWAYS:
            if other != self.pathway:
                others |= {f"recognizer.{other}_frames", f"recognizer.{other}_network"}
        values = values_without(params.flat, others)
        counts = (*params.superclasses, None)
        return (*values, counts[self.target_level(len(counts))])

    def hierarchy(
        self, config: TrialConfig, ancestors: Sequence[StageResult], given: Mapping[int, tuple[int, ...]]
    ) -> Hierarchy:
        """Return the level of the pathway, from the confusion of the classes' base or from the dataset."""
        if not ancestors:
            return Hierarchy.flat(config.num_classes)
        return self.own_hierarchy(_whole_hierarchy(config, ancestors, given))

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],  # noqa: ARG002
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        inputs = BaseStageInputs(
            base=base,
            optimisation=config.optimisation,
            epochs=self.epochs(config),
            rates=rates,
            target=hierarchy.assignments[-1],
        )
        return PlannedStage(inputs, partial(prepare_base, inputs, self.name, Hierarchy((inputs.target,))))


class ElementBase(Base):
    """Base of the finest pathway, trained for the classes."""

    name = "element-base"
    pathway = "element"


class SetBase(Base):
    """Base of the middle pathway."""

    name = "set-base"
    pathway = "set"


class EventBase(Base):
    """Base of the coarsest pathway."""

    name = "event-base"
    pathway = "event"


class Joint(StageKind):
    """Joint stage: train the joint layer and the heads of all levels on the frozen bases."""

    name = "joint"
    version = 1
    frozen = PATHWAYS

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return config.pass_2.epochs

    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """See `StageKind`."""
        return params.prefix

    def hierarchy(
        self, config: TrialConfig, ancestors: Sequence[StageResult], given: Mapping[int, tuple[int, ...]]
    ) -> Hierarchy:
        """Derive superclasses from the confusion matrix of the base of the classes, or use the dataset's own.

        That base, the pathway that trains on the classes, is the first stage of the trial.
        """
        return _whole_hierarchy(config, ancestors, given)

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        bases = {stage.kind.pathway: stage for stage in ancestors if isinstance(stage.kind, Base)}
        inputs = JointInputs(
            base=base,
            optimisation=config.optimisation.starting_at(config.pass_2.learning_rate),
            epochs=self.epochs(config),
            rates=rates,
            assignments=hierarchy.assignments,
            weights=config.params.stack_weights,
            heads=config.pass_2.heads,
            parent_keys=tuple(bases[pathway].key for pathway in PATHWAYS),
        )
        named = {pathway: (bases[pathway].kind, bases[pathway].key) for pathway in PATHWAYS}
        return PlannedStage(inputs, partial(prepare_joint, inputs, named))


def three_pathways(config: TrialConfig) -> ThreePathwaySettings:
    """Return the recognizer of a config, which must have three pathways.

    Raises:
        InputError: if it has not.
    """
    if isinstance(config.recognizer, ThreePathwaySettings):
        return config.recognizer
    raise InputError(
        "stages of the recipe joint train the recognizer three-pathway",
        got=config.recognizer.name,
        hint="set recognizer.name = 'three-pathway'",
    )


def _whole_hierarchy(
    config: TrialConfig, ancestors: Sequence[StageResult], given: Mapping[int, tuple[int, ...]]
) -> Hierarchy:
    """Return all levels of a trial; its first stage is the base of the classes."""
    return Hierarchy.from_confusion(
        ancestors[0].confusion_KK, config.params.superclasses, given=given, seed=config.seed
    )


ELEMENT_BASE, SET_BASE, EVENT_BASE, JOINT = ElementBase(), SetBase(), EventBase(), Joint()
