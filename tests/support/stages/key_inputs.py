"""Inputs of a stage of each kind, and of pass 1 with each recognizer, whose keys golden files hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

from pydantic import TypeAdapter

from autohier.config.key_defaults import names_at_key_default
from autohier.config.trial.clips import ClipSettings, FrameClips, PartsSkeletonsClips
from autohier.config.trial.recognizers import (
    PartAttentionSettings,
    PathwayName,
    RecognizerSettings,
    ThreePathwaySettings,
    find_recognizer_settings,
)
from autohier.config.trial.training import OptimisationSettings
from autohier.core.stages.builders import network_options
from autohier.core.stages.inputs import (
    AttentionInputs,
    BaseInputs,
    BaseStageInputs,
    JointInputs,
    NetworkInputs,
    Pass1Inputs,
    Pass2Inputs,
    StageInputs,
)
from autohier.data.skeleton import KINECT_V2_25
from support.fakes.fake_stages import BASE, INPUTS

CONTENTS: Final = SimpleNamespace(channels=3, layout=KINECT_V2_25)
LEVELS: Final[dict[str, Any]] = {"assignments": ((0, 1, 0, 1), (0, 1, 2, 3)), "weights": (1 / 3, 1.0)}


def base_inputs(recognizer: RecognizerSettings, clips: ClipSettings) -> BaseInputs:
    """Return the shared inputs of stages of a recognizer on clips, as a trial has them."""
    options = network_options(recognizer, clips, CONTENTS)
    network = NetworkInputs(
        name=recognizer.name,
        options=options,
        at_key_default=tuple(name for name in names_at_key_default(recognizer) if name in options),
        weights_sha256=None,
        num_classes=4,
    )
    return BASE.model_copy(update={"clips": clips, "network": network})


def recognizer_inputs(name: str) -> Pass1Inputs:
    """Return inputs of pass 1 with a recognizer and the clips that it reads, both at their defaults."""
    recognizer = find_recognizer_settings(name)(name=name)
    clips = TypeAdapter[ClipSettings](ClipSettings).validate_python({"input": recognizer.reads})
    return _pass_1(recognizer, clips)


def _pass_1(recognizer: RecognizerSettings, clips: ClipSettings) -> Pass1Inputs:
    base = base_inputs(recognizer, clips)
    return Pass1Inputs(base=base, optimisation=OptimisationSettings(), epochs=2)


def _of_joint() -> dict[str, StageInputs]:
    recognizer = ThreePathwaySettings(name="three-pathway", set_network="slowfast")
    shared: dict[str, Any] = {"optimisation": OptimisationSettings(), "epochs": 2}
    inputs: dict[str, StageInputs] = {}
    targets: dict[PathwayName, tuple[int, ...]] = {
        "element": (0, 1, 2, 3),
        "set": (0, 1, 0, 1),
        "event": (0, 1, 0, 1),
    }
    for pathway, target in targets.items():
        clips = FrameClips(num_frames=recognizer.frames_of(pathway))
        base = base_inputs(recognizer.network_of(pathway), clips)
        inputs[f"{pathway}-base"] = BaseStageInputs(base=base, target=target, **shared)
    base, parents = base_inputs(recognizer, FrameClips(num_frames=32)), ("1" * 64, "2" * 64, "3" * 64)
    joint = JointInputs(base=base, heads="last", parent_keys=parents, **LEVELS, **shared)
    return inputs | {"joint": joint}


def _of_attention() -> dict[str, StageInputs]:
    recognizer = PartAttentionSettings(name="part-attention-i3d")
    clips = PartsSkeletonsClips(input="parts+skeletons")
    inputs: dict[str, StageInputs] = {}
    for member in ("body", "left_hand", "right_hand", "pose"):
        alone = recognizer.alone(member)
        own = clips.model_copy(update={"parts": alone.parts_read})
        inputs[f"{member.replace('_', '-')}-base"] = _pass_1(alone, own)
    shared: dict[str, Any] = {
        "base": base_inputs(recognizer, clips),
        "optimisation": OptimisationSettings(),
        "epochs": 2,
    }
    attention = AttentionInputs(parent_keys=tuple(number * 64 for number in "1234"), **shared)
    return inputs | {
        "attention": attention,
        "fixed-pose": Pass2Inputs(parent_key="5" * 64, **LEVELS, **shared),
    }


KIND_INPUTS: Final[dict[str, StageInputs]] = {**INPUTS, **_of_joint(), **_of_attention()}
"""Inputs of one stage of each kind of all recipes, by the name of the kind."""
