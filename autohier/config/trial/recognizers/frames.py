"""Settings of recognizers that read frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from autohier.config.key_defaults import KeyDefault
from autohier.config.trial.clips import ClipInputName, ClipSettings
from autohier.config.trial.recognizers.base import ScaledRecognizerSettings, absolute_path


class InflatedResNetSettings(ScaledRecognizerSettings):
    """Settings of the inflated ResNet, a 2D ResNet that also reads the previous and the next frame."""

    reads: ClassVar[ClipInputName] = "frames"
    name: str = "inflated-resnet50"
    """inflated-resnet18, inflated-resnet34, inflated-resnet50 or inflated-resnet101."""
    initialisation: Literal["fan-in", "fan-out"] = "fan-in"
    """He initialization. fan-out makes filter norms incomparable between layers."""
    weights: str | None = None
    """File of a 2D ResNet's weights to inflate, .safetensors or .pth; None starts from random weights."""
    inflation: Annotated[Literal["centre", "mean"], KeyDefault("centre")] = "centre"
    """Inflation of these weights. centre: the 2D kernel in the middle of 3 time slices, zeros in the others
    (HAC's code base); mean: a third of it in each (I3D, MMAction2)."""

    @field_validator("weights")
    @classmethod
    def _make_absolute(cls, path: str | None) -> str | None:
        return path and absolute_path(path)

    @model_validator(mode="after")
    def _check_one_start(self) -> InflatedResNetSettings:
        if self.weights and self.start:
            raise ValueError(
                "a network starts from recognizer.weights (2D) or from recognizer.start, not from both; "
                "leave one out"
            )
        return self

    def options(self) -> dict[str, Any]:
        """See `RecognizerSettings.options`."""
        return self.model_dump(exclude={"name", "weights", "start", "inflation"})

    @property
    def weights_path(self) -> Path | None:
        """See `RecognizerSettings.weights_path`."""
        return Path(self.weights) if self.weights else None

    @property
    def inflation_kind(self) -> Literal["centre", "mean"]:
        """See `RecognizerSettings.inflation_kind`."""
        return self.inflation


class SlowOnlySettings(InflatedResNetSettings):
    """Settings of SlowOnly, a ResNet that convolves over time in its last two stacks only."""

    name: str
    """slowonly-resnet50."""
    inflation: Annotated[Literal["centre", "mean"], KeyDefault("centre")] = "mean"
    """Inflation of 2D weights. mean: a third of the kernel in each of 3 time slices (MMAction2); centre: the
    kernel in the middle one, zeros in the others."""


class SlowFastSettings(ScaledRecognizerSettings):
    """Settings of SlowFast, a slow pathway on few frames and a narrow fast one on all of them."""

    reads: ClassVar[ClipInputName] = "frames"
    name: str
    """slowfast-resnet50."""
    initialisation: Literal["fan-in", "fan-out"] = "fan-in"
    """He initialization. fan-out makes filter norms incomparable between layers."""
    slow_stride: Annotated[PositiveInt, Field(le=1000)] = 8
    """The slow pathway reads every n-th frame; clips.num_frames must be a multiple of it."""
    lateral_kernel: Literal[5, 7] = 5
    """Frames that a lateral connection reads for each frame of the slow pathway (MMAction2: 5; PYSKL: 7)."""

    def find_clips_fault(self, clips: ClipSettings) -> str:
        """See `RecognizerSettings.find_clips_fault`."""
        num_frames, stride = clips.num_frames, self.slow_stride
        if num_frames % stride == 0:
            return ""
        nearest_multiple = stride * max(1, round(num_frames / stride))
        return (
            f"{self.name} needs clips.num_frames to be a multiple of recognizer.slow_stride {stride}, but "
            f"got {num_frames}; write e.g. clips.num_frames = {nearest_multiple}"
        )


class VideoNetworkSettings(ScaledRecognizerSettings):
    """Settings of the convolutional video networks with torchvision's names."""

    reads: ClassVar[ClipInputName] = "frames"
    name: str
    """r3d-18, mc3-18, r2plus1d-18 or s3d."""


class I3dSettings(ScaledRecognizerSettings):
    """Settings of I3D, Inception-v1 whose kernels span time."""

    reads: ClassVar[ClipInputName] = "frames"
    name: str
    """i3d."""
