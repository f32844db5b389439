"""Settings of recognizers, and the registry that finds a recognizer by name.

Another package adds a recognizer by an entry point (see `autohier.extensions`) whose settings class derives
from `RecognizerSettings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import Field, PositiveFloat, PositiveInt, SerializeAsAny, field_validator, model_validator

from autohier.config.frozen import FrozenModel
from autohier.config.key_defaults import KeyDefault
from autohier.config.tagged import TaggedBy
from autohier.config.trial.clips import ClipInputName, ClipSettings, FramesHeatmapsClips
from autohier.errors import InputError
from autohier.extensions import Extension, Registry


def absolute_path(path: str) -> str:
    """Return a user's path as an absolute one: trials and resumed sweeps run in other folders."""
    return str(Path(path).expanduser().resolve())


PATHWAYS: Final = ("event", "set", "element")
"""Pathways of `three-pathway`, coarse to fine; each is trained for one level of a hierarchy."""
PathwayName = Literal["event", "set", "element"]
PathwayNetwork = Literal["slowonly", "slowfast"]
NumPathwayFrames = Annotated[PositiveInt, Field(le=1000)]


class RecognizerSettings(FrozenModel):
    """Base class of a recognizer's settings.

    A subclass names the clip input that the recognizer reads and adds one field per option. The builder of
    the recognizer is called with ``options()`` and with one argument that follows from the data:
    ``in_channels``, an int, if it reads frames or heatmaps; ``layout``, the name of a `JointLayout`, if it
    reads skeletons; see also ``takes_persons``. If it reads frames with heatmaps, ``in_channels`` are those
    of the frames, and ``num_maps``, an int, is the second argument; for frames with skeletons it is
    ``layout``::

        class GruSettings(RecognizerSettings):
            reads = "skeletons"
            hidden: PositiveInt = 64

        def build(*, layout: str, hidden: int = 64) -> Recognizer: ...

    Options are part of the stage keys, so that two trials with different options share no stage.
    """

    reads: ClassVar[ClipInputName]
    """Clip input that the recognizer reads: frames, skeletons, heatmaps, frames+heatmaps or
    frames+skeletons."""
    pathways: ClassVar[tuple[str, ...]] = ()
    """Names of the pathways that may start from a trained network each, with a field ``start_NAME``."""
    takes_persons: ClassVar[bool] = False
    """True if the builder also takes ``num_persons``, the number of persons in a clip of skeletons."""
    name: str
    """Registered name of the recognizer."""
    start: Annotated[str | None, KeyDefault(None)] = None
    """Trained network to start from, all but its heads: a sweep (SWEEP, its best trial; or SWEEP:TRIAL), the
    folder of a stage or of an exported model, or a file of weights. None starts from random weights."""

    def options(self) -> dict[str, Any]:
        """Return the options that the network is built with, without those that follow from the data."""
        return self.model_dump(exclude={"name", "weights", "start", *self._pathway_starts()})

    @property
    def weights_path(self) -> Path | None:
        """File of 2D weights to start from; None starts from random weights."""
        return None

    def find_clips_fault(self, clips: ClipSettings) -> str:  # noqa: ARG002
        """Return why the recognizer cannot read clips of these sizes; empty if it can."""
        return ""

    @property
    def inflation_kind(self) -> Literal["centre", "mean"]:
        """Inflation of the 2D weights; see `InflatedResNetSettings.inflation`."""
        return "centre"

    @property
    def start_paths(self) -> dict[str, Path]:
        """Stage folder or file of each pathway that starts from one; ``start`` has the empty name."""
        given = {"": self.start}
        given |= {name: getattr(self, field) for field, name in self._pathway_starts().items()}
        return {name: Path(path) for name, path in given.items() if path}

    @classmethod
    def _pathway_starts(cls) -> dict[str, str]:
        """Return the pathways by the fields that name what they start from."""
        return {f"start_{name}": name for name in cls.pathways}

    @model_validator(mode="after")
    def _check_starts(self) -> Self:
        if len(self.start_paths) > 1 and "" in self.start_paths:
            fields = ", ".join(self._pathway_starts())
            raise ValueError(
                f"a network starts from recognizer.start as a whole or by pathway from {fields}, not from "
                "both; leave one out"
            )
        return self


PathwayWeights = tuple[PositiveFloat, PositiveFloat]


class ScaledRecognizerSettings(RecognizerSettings):
    """Settings of a recognizer whose channel counts scale together."""

    width: PositiveFloat = 1.0
    """Factor of every channel count."""


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


class VideoNetworkSettings(ScaledRecognizerSettings):
    """Settings of the convolutional video networks with torchvision's names."""

    reads: ClassVar[ClipInputName] = "frames"
    name: str
    """r3d-18, mc3-18, r2plus1d-18 or s3d."""


class StGcnSettings(ScaledRecognizerSettings):
    """Settings of ST-GCN and ST-GCN++, graph networks on joints."""

    reads: ClassVar[ClipInputName] = "skeletons"
    name: str
    """st-gcn or st-gcn++."""
    stacks: tuple[Annotated[PositiveInt, Field(le=1000)], ...] = (4, 3, 3)
    """Blocks per stack, ten in all; by default a stack ends before the channels double."""


class AdaptiveGraphSettings(StGcnSettings):
    """Settings of CTR-GCN and AAGCN, graph networks whose graphs depend on the clip."""

    takes_persons: ClassVar[bool] = True
    name: str
    """ctr-gcn or aagcn."""


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


class RgbPoseSettings(ScaledRecognizerSettings):
    """Settings of RGBPose-Conv3D, a pathway on frames and one on heatmaps that exchange features."""

    reads: ClassVar[ClipInputName] = "frames+heatmaps"
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


class TwoStreamSettings(ScaledRecognizerSettings):
    """Settings of two streams that train together: an inflated ResNet on frames, ST-GCN++ on skeletons."""

    reads: ClassVar[ClipInputName] = "frames+skeletons"
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


_MODELS: Final = "autohier.models"
_CONVOLUTIONAL: Final = "autohier.models.convolutional"
_GRAPHS: Final = "autohier.models.graphs"

RECOGNIZERS: Final = Registry(
    "autohier.recognizers",
    "recognizer",
    {
        "inflated-resnet18": Extension(f"{_CONVOLUTIONAL}.inflated_resnet:resnet18", InflatedResNetSettings),
        "inflated-resnet34": Extension(f"{_CONVOLUTIONAL}.inflated_resnet:resnet34", InflatedResNetSettings),
        "inflated-resnet50": Extension(f"{_CONVOLUTIONAL}.inflated_resnet:resnet50", InflatedResNetSettings),
        "inflated-resnet101": Extension(
            f"{_CONVOLUTIONAL}.inflated_resnet:resnet101", InflatedResNetSettings
        ),
        "slowonly-resnet50": Extension(f"{_CONVOLUTIONAL}.slow_fast:SlowOnly", SlowOnlySettings),
        "slowfast-resnet50": Extension(f"{_CONVOLUTIONAL}.slow_fast:SlowFast", SlowFastSettings),
        "three-pathway": Extension(f"{_CONVOLUTIONAL}.three_pathway:ThreePathway", ThreePathwaySettings),
        "r3d-18": Extension(f"{_CONVOLUTIONAL}.video_resnet:r3d_18", VideoNetworkSettings),
        "mc3-18": Extension(f"{_CONVOLUTIONAL}.video_resnet:mc3_18", VideoNetworkSettings),
        "r2plus1d-18": Extension(f"{_CONVOLUTIONAL}.video_resnet:r2plus1d_18", VideoNetworkSettings),
        "s3d": Extension(f"{_CONVOLUTIONAL}.s3d:S3D", VideoNetworkSettings),
        "st-gcn": Extension(f"{_GRAPHS}.st_gcn:st_gcn", StGcnSettings),
        "st-gcn++": Extension(f"{_GRAPHS}.st_gcn:st_gcn_plus_plus", StGcnSettings),
        "ctr-gcn": Extension(f"{_GRAPHS}.ctr_gcn:CtrGcn", AdaptiveGraphSettings),
        "aagcn": Extension(f"{_GRAPHS}.aagcn:Aagcn", AdaptiveGraphSettings),
        "ms-g3d": Extension(f"{_GRAPHS}.ms_g3d:MsG3d", MsG3dSettings),
        "tcn": Extension(f"{_GRAPHS}.temporal:TemporalConvNet", TemporalConvSettings),
        "pose-slowonly": Extension(f"{_CONVOLUTIONAL}.pose_conv3d:PoseSlowOnly", PoseSlowOnlySettings),
        "pose-slowonly-small": Extension(f"{_CONVOLUTIONAL}.pose_conv3d:small", PoseSlowOnlySettings),
        "pose-slowonly-shallow": Extension(f"{_CONVOLUTIONAL}.pose_conv3d:shallow", PoseSlowOnlySettings),
        "two-stream": Extension(f"{_MODELS}.two_stream:TwoStream", TwoStreamSettings),
        "rgbpose-conv3d": Extension(f"{_CONVOLUTIONAL}.rgb_pose:RgbPose", RgbPoseSettings),
    },
)
"""All recognizers: autohier's own and those of installed packages."""


def find_recognizer_settings(name: str) -> type[RecognizerSettings]:
    """Return the settings class of a recognizer.

    Raises:
        InputError: if the name is unknown, or its package does not offer a valid settings class.
    """
    settings = RECOGNIZERS.find(name).settings
    if not isinstance(settings, type) or not issubclass(settings, RecognizerSettings):
        raise InputError(
            f"the settings of recognizer {name!r} must derive from RecognizerSettings",
            got=repr(settings),
            hint="update its package",
        )
    if getattr(settings, "reads", None) not in get_args(ClipInputName):
        raise InputError(
            f"the settings of recognizer {name!r} must name a clip input in 'reads'",
            got=repr(getattr(settings, "reads", None)),
            hint=f"update its package; valid are {', '.join(get_args(ClipInputName))}",
        )
    return settings


RECOGNIZER_TAG: Final = TaggedBy("name", default="inflated-resnet50", find=find_recognizer_settings)

AnyRecognizerSettings = Annotated[SerializeAsAny[RecognizerSettings], RECOGNIZER_TAG]
