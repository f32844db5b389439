"""Settings of recognizers with several pathways."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from autohier.config.trial.clips import (
    ClipInputName,
    ClipSettings,
    FramesHeatmapsClips,
    PartName,
    PartsSkeletonsClips,
)
from autohier.config.trial.recognizers.base import (
    FramesHeatmapsSettings,
    FramesSkeletonsSettings,
    RecognizerSettings,
    ScaledRecognizerSettings,
)
from autohier.config.trial.recognizers.frames import SlowFastSettings, SlowOnlySettings

PATHWAYS: Final = ("event", "set", "element")
"""Pathways of `three-pathway`, coarse to fine; each is trained for one level of a hierarchy."""


PathwayName = Literal["event", "set", "element"]


PathwayNetwork = Literal["slowonly", "slowfast"]


NumPathwayFrames = Annotated[PositiveInt, Field(le=1000)]


PathwayWeights = tuple[PositiveFloat, PositiveFloat]


class ThreePathwaySettings(SlowOnlySettings):
    """Settings of three networks on one clip, for an event, a set and an element, under a joint layer."""

    name: str
    """three-pathway."""
    event_frames: NumPathwayFrames = 4
    """Frames of a clip that the event pathway reads; clips.num_frames must be a multiple of it."""
    set_frames: NumPathwayFrames = 8
    """Frames of a clip that the set pathway reads; clips.num_frames must be a multiple of it."""
    element_frames: NumPathwayFrames = 32
    """Frames of a clip that the element pathway reads; clips.num_frames must be a multiple of it."""
    event_network: PathwayNetwork = "slowonly"
    """Network of the event pathway: slowonly or slowfast, with 50 layers each."""
    set_network: PathwayNetwork = "slowonly"
    """Network of the set pathway."""
    element_network: PathwayNetwork = "slowonly"
    """Network of the element pathway."""
    slow_stride: Annotated[PositiveInt, Field(le=1000)] = 8
    """slowfast: the slow pathway reads every n-th frame of those that the pathway reads."""
    lateral_kernel: Literal[5, 7] = 5
    """slowfast: frames that a lateral connection reads for each frame of the slow pathway."""
    joint_width: Annotated[PositiveInt, Field(le=100_000)] = 1024
    """Outputs of the joint layer, which reads the features of all pathways and which all heads read."""
    weights: str | None = None
    """File of a 2D ResNet's weights to inflate into every slowonly pathway; None starts from random ones."""

    @model_validator(mode="after")
    def _check_weights(self) -> ThreePathwaySettings:
        networks = (self.event_network, self.set_network, self.element_network)
        if self.weights and "slowonly" not in networks:
            raise ValueError("recognizer.weights needs a pathway that is slowonly; leave it out")
        return self

    def frames_of(self, pathway: PathwayName) -> int:
        """Return the number of frames that a pathway reads."""
        frames: int = getattr(self, f"{pathway}_frames")
        return frames

    def network_of(self, pathway: PathwayName) -> RecognizerSettings:
        """Return the settings of a pathway's network as a recognizer of its own."""
        shared: dict[str, Any] = {"width": self.width, "initialisation": self.initialisation}
        if getattr(self, f"{pathway}_network") == "slowonly":
            start = {"weights": self.weights, "inflation": self.inflation}
            return SlowOnlySettings(name="slowonly-resnet50", **shared, **start)
        rates: dict[str, Any] = {"slow_stride": self.slow_stride, "lateral_kernel": self.lateral_kernel}
        return SlowFastSettings(name="slowfast-resnet50", **shared, **rates)

    def find_clips_fault(self, clips: ClipSettings) -> str:
        """See `RecognizerSettings.find_clips_fault`."""
        num_frames = clips.num_frames
        for pathway in PATHWAYS:
            own, setting = self.frames_of(pathway), f"recognizer.{pathway}_frames"
            if num_frames % own:
                nearest_multiple = own * max(1, round(num_frames / own))
                return (
                    f"{self.name} needs clips.num_frames to be a multiple of {setting} {own}, but got "
                    f"{num_frames}; write e.g. clips.num_frames = {nearest_multiple}"
                )
            if getattr(self, f"{pathway}_network") == "slowfast" and own % self.slow_stride:
                return (
                    f"a slowfast pathway needs {setting} to be a multiple of recognizer.slow_stride "
                    f"{self.slow_stride}, but got {own}"
                )
        return ""


class RgbPoseSettings(FramesHeatmapsSettings):
    """Settings of RGBPose-Conv3D, a pathway on frames and one on heatmaps that exchange features."""

    pathways: ClassVar[tuple[str, ...]] = ("rgb", "pose")
    name: str
    """rgbpose-conv3d."""
    initialisation: Literal["fan-in", "fan-out"] = "fan-in"
    """He initialization. fan-out makes filter norms incomparable between layers."""
    laterals: Literal["both", "rgb-to-pose", "pose-to-rgb", "none"] = "both"
    """Directions in which the pathways exchange features. none: they only train together."""
    frame_ratio: Annotated[PositiveInt, Field(le=1000)] = 4
    """Frames of heatmaps for each video frame; clips.num_map_frames must be this multiple of clips.num_frames
    and clips.crop_px four times clips.map_px, unless laterals are none."""
    loss_weights: PathwayWeights = (1.0, 1.0)
    """Weights of the cross-entropies of rgb and pose."""
    prediction_weights: PathwayWeights = (1.0, 1.0)
    """Weights of the probabilities of rgb and pose, whose mean is the prediction."""
    start_rgb: str | None = None
    """Trained network that rgb starts from, e.g. of slowonly-resnet50; given like start."""
    start_pose: str | None = None
    """Trained network that pose starts from, e.g. of pose-slowonly with last_frame_stride 1."""

    def find_clips_fault(self, clips: ClipSettings) -> str:
        """See `RecognizerSettings.find_clips_fault`."""
        if not isinstance(clips, FramesHeatmapsClips) or self.laterals == "none":
            return ""
        wanted = {"num_map_frames": self.frame_ratio * clips.num_frames, "crop_px": 4 * clips.map_px}
        wrong = {name: value for name, value in wanted.items() if getattr(clips, name) != value}
        if not wrong:
            return ""
        got = ", ".join(f"clips.{name} = {getattr(clips, name)}" for name in wrong)
        right = ", ".join(f"clips.{name} = {value}" for name, value in wrong.items())
        return (
            f"{self.name} needs clips.num_map_frames = {self.frame_ratio} (recognizer.frame_ratio) times "
            f"clips.num_frames and clips.crop_px = 4 times clips.map_px, but got {got}; write {right}, or "
            "recognizer.laterals = 'none'"
        )


class TwoStreamSettings(FramesSkeletonsSettings):
    """Settings of two streams that train together: an inflated ResNet on frames, ST-GCN++ on skeletons."""

    pathways: ClassVar[tuple[str, ...]] = ("frames", "skeletons")
    name: str
    """two-stream."""
    depth: Literal[18, 34, 50, 101] = 50
    """Depth of the ResNet on frames."""
    skeleton_width: PositiveFloat | None = None
    """Factor of the channel counts of ST-GCN++; None for that of the ResNet, width."""
    loss_weights: PathwayWeights = (1.0, 1.0)
    """Weights of the cross-entropies of frames and skeletons."""
    prediction_weights: PathwayWeights = (1.0, 1.0)
    """Weights of the probabilities of frames and skeletons, whose mean is the prediction."""
    start_frames: str | None = None
    """Trained network that frames start from, e.g. of inflated-resnet50; given like start."""
    start_skeletons: str | None = None
    """Trained network that skeletons start from, of st-gcn++; given like start."""


class PartAttentionSettings(ScaledRecognizerSettings):
    """Settings of P-I3D: I3D on each hand and on the body, weighed by attention from the poses."""

    reads: ClassVar[ClipInputName] = "parts+skeletons"
    pathways: ClassVar[tuple[str, ...]] = ("left_hand", "right_hand", "body")
    name: str
    """part-attention-i3d."""
    pose_width: Annotated[PositiveInt, Field(le=100_000)] = 512
    """Hidden channels of each of the three LSTM layers on the poses (NTU: 512; N-UCLA: 128)."""
    aggregation: Literal["sum", "concat"] = "sum"
    """Features that the heads read: the weighed features of all parts, summed or concatenated."""
    attention_penalty: Annotated[float, Field(ge=0)] = 1e-5
    """Weight of the auxiliary loss: the sum over the parts of (1 - attention)^2 (NTU: 1e-5; N-UCLA: 1e-4)."""
    attention_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Dropout of the state of the LSTM that the attention reads."""
    member: Literal["whole", "left_hand", "right_hand", "body", "pose"] = "whole"
    """whole: all of the network; otherwise the I3D of one part, or the LSTM, alone."""
    start_left_hand: str | None = None
    """Trained network that the I3D of the left hand starts from, e.g. of i3d or pytorch-i3d; given like
    start."""
    start_right_hand: str | None = None
    """Trained network that the I3D of the right hand starts from."""
    start_body: str | None = None
    """Trained network that the I3D of the body starts from."""

    @property
    def parts_read(self) -> tuple[PartName, ...]:
        """Parts that the network, or the member of it, reads."""
        if self.member == "whole":
            return ("left_hand", "right_hand", "body")
        return () if self.member == "pose" else (self.member,)

    def alone(self, member: Literal["left_hand", "right_hand", "body", "pose"]) -> PartAttentionSettings:
        """Return the settings of one member, which do not depend on those of the others."""
        own: dict[str, Any] = {"name": self.name, "member": member}
        if member == "pose":
            return PartAttentionSettings(**own, pose_width=self.pose_width)
        start = f"start_{member}"
        return PartAttentionSettings(**own, width=self.width, **{start: getattr(self, start)})

    def find_clips_fault(self, clips: ClipSettings) -> str:
        """See `RecognizerSettings.find_clips_fault`."""
        if not isinstance(clips, PartsSkeletonsClips):
            return ""
        missing = [part for part in self.parts_read if part not in clips.parts]
        if not missing:
            return ""
        given = ", ".join(clips.parts) or "none"
        return (
            f"{self.name} needs {', '.join(missing)} in clips.parts, but got {given}; leave clips.parts out"
        )

    @model_validator(mode="after")
    def _check_members(self) -> PartAttentionSettings:
        others = [name for name in self.start_paths if name and name not in self.parts_read]
        if others:
            raise ValueError(
                f"a network of {self.member} alone has no {others[0]}; leave start_{others[0]} out"
            )
        return self
