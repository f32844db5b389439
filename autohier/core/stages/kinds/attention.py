"""The stage kinds of the recipe attention: a base for each member, the attention on all, and a fixed LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

from autohier.config.trial.clips import PartsSkeletonsClips
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.recognizers import PartAttentionSettings
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.inputs import AttentionInputs, BaseInputs
from autohier.core.stages.kinds.base import PlannedStage, values_without
from autohier.core.stages.kinds.hac import Pass1, Pass2
from autohier.core.stages.preparations.bases import Bases, prepare_attention, prepare_base
from autohier.core.stages.result import StageResult
from autohier.errors import InputError


class MemberBase(Pass1):
    """Base: train one member of the network alone, for the classes, on the clips that it reads."""

    version = 1
    member: ClassVar[Literal["left_hand", "right_hand", "body", "pose"]]

    def own_config(self, config: TrialConfig) -> TrialConfig:
        """Return the config with the member alone, on clips of its part."""
        recognizer, clips = part_attention_of(config).alone(self.member), config.clips
        if isinstance(clips, PartsSkeletonsClips):
            clips = clips.model_copy(update={"parts": recognizer.parts_read})
        return config.model_copy(update={"recognizer": recognizer, "clips": clips})

    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """Return the values of pass 1 without those of other members."""
        others = {"aggregation", "attention_penalty", "attention_dropout"}
        others |= {"width"} if self.member == "pose" else {"pose_width"}
        names = {*(f"recognizer.{name}" for name in others), "pass_1.attention_epochs"}
        return values_without(params.flat, names)

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        planned = super().plan(config, base, ancestors, hierarchy, rates)
        return PlannedStage(planned.inputs, partial(prepare_base, planned.inputs, self.name, hierarchy))


class BodyBase(MemberBase):
    """Base of the body, which stands for pass 1."""

    name = "body-base"
    member = "body"


class LeftHandBase(MemberBase):
    """Base of the left hand."""

    name = "left-hand-base"
    member = "left_hand"


class RightHandBase(MemberBase):
    """Base of the right hand."""

    name = "right-hand-base"
    member = "right_hand"


class PoseBase(MemberBase):
    """Base of the LSTM on the poses."""

    name = "pose-base"
    member = "pose"


class Attention(Pass1):
    """Attention stage: train the whole network from its bases, at first with equal attention."""

    name = "attention"
    version = 1

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return config.pass_1.attention_epochs

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,  # noqa: ARG002
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        inputs = AttentionInputs(
            base=base,
            optimisation=config.optimisation.starting_at(config.pass_2.learning_rate),
            epochs=self.epochs(config),
            rates=rates,
            parent_keys=tuple(stage.key for stage in ancestors),
        )
        bases: Bases = {
            stage.kind.member: (stage.kind, stage.key)
            for stage in ancestors
            if isinstance(stage.kind, MemberBase)
        }
        return PlannedStage(inputs, partial(prepare_attention, inputs, bases))


class FixedPose(Pass2):
    """Fixed-pose stage: pass 2 of the whole network, whose LSTM does not train any more."""

    name = "fixed-pose"
    version = 1
    frozen = ("pose",)


def part_attention_of(config: TrialConfig) -> PartAttentionSettings:
    """Return the recognizer of a config, which must be P-I3D.

    Raises:
        InputError: if it is another one.
    """
    if isinstance(config.recognizer, PartAttentionSettings):
        return config.recognizer
    raise InputError(
        "stages of the recipe attention train the recognizer part-attention-i3d",
        got=config.recognizer.name,
        hint="set recognizer.name = 'part-attention-i3d'",
    )


BODY_BASE, LEFT_HAND_BASE, RIGHT_HAND_BASE = BodyBase(), LeftHandBase(), RightHandBase()
POSE_BASE, ATTENTION, FIXED_POSE = PoseBase(), Attention(), FixedPose()
