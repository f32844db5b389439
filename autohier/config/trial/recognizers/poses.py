"""Settings of recognizers that read skeletons or heatmaps of them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from autohier.config.key_defaults import KeyDefault
from autohier.config.trial.clips import ClipInputName
from autohier.config.trial.recognizers.base import ScaledRecognizerSettings


class StGcnSettings(ScaledRecognizerSettings):
    """Settings of ST-GCN and ST-GCN++, graph networks on joints."""

    reads: ClassVar[ClipInputName] = "skeletons"
    name: str
    """st-gcn or st-gcn++."""
    stacks: tuple[Annotated[PositiveInt, Field(le=1000)], ...] = (4, 3, 3)
    """Blocks per stack, ten in all; by default a stack ends before the channels double."""


class AdaptiveGraphSettings(StGcnSettings):
    """Settings of AAGCN, a graph network whose graph depends on the clip."""

    takes_persons: ClassVar[bool] = True
    name: str
    """aagcn."""


class CtrGcnSettings(AdaptiveGraphSettings):
    """Settings of CTR-GCN, a graph network whose graph depends on the clip and the channel."""

    name: str
    """ctr-gcn."""
    branch_relu: Annotated[bool, KeyDefault(False)] = False
    """ReLU behind the temporal branches of a block, as in PYSKL; the authors' code has none."""


class MsG3dSettings(ScaledRecognizerSettings):
    """Settings of MS-G3D, a graph network over many distances and windows of frames."""

    reads: ClassVar[ClipInputName] = "skeletons"
    takes_persons: ClassVar[bool] = True
    name: str
    """ms-g3d."""
    num_scales: Annotated[PositiveInt, Field(le=1000)] = 13
    """Distances of the graph convolutions in single frames, from 0 bones."""
    num_window_scales: Annotated[PositiveInt, Field(le=1000)] = 6
    """Distances of the graph convolutions in windows, from 0 bones."""
    windows: tuple[Annotated[PositiveInt, Field(le=1000)], ...] = (3, 5)
    """Lengths of the windows in frames, odd."""


class TemporalConvSettings(ScaledRecognizerSettings):
    """Settings of the temporal convolutional network on all joints at once."""

    reads: ClassVar[ClipInputName] = "skeletons"
    name: str
    """tcn."""
    num_blocks: Annotated[PositiveInt, Field(le=1000)] = 2
    """Residual blocks in each of the three stacks."""
    num_frames_seen: PositiveInt = 5
    """Kernel size of a convolution in frames; odd."""


class PoseSlowOnlySettings(ScaledRecognizerSettings):
    """Settings of PoseConv3D's SlowOnly network on pseudo heatmaps of joints or limbs."""

    reads: ClassVar[ClipInputName] = "heatmaps"
    name: str
    """pose-slowonly, pose-slowonly-small or pose-slowonly-shallow."""
    initialisation: Literal["fan-in", "fan-out"] = "fan-in"
    """He initialization. fan-out makes filter norms incomparable between layers."""
    stem_pool: Annotated[bool, KeyDefault(False)] = True
    """Max pool over 3 by 3 pixels with stride 1 after the stem, as in PYSKL and MMAction2."""
    last_frame_stride: Annotated[Literal[1, 2], KeyDefault(2)] = 2
    """Stride over time of the last stack. 1 for a network that a pathway of rgbpose-conv3d starts from."""
