"""Settings of the clip input: how clips become the tensors that a recognizer reads."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from autohier.config.frozen import FrozenModel
from autohier.config.key_defaults import KeyDefault
from autohier.config.tagged import TaggedBy
from autohier.errors import InputError, nearest

ClipInputName = Literal[
    "frames", "skeletons", "heatmaps", "frames+heatmaps", "frames+skeletons", "parts+skeletons"
]
NumFrames = Annotated[PositiveInt, Field(le=100_000)]
SidePx = Annotated[PositiveInt, Field(le=4096)]
Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]
FrameJointDrop = Annotated[float, Field(ge=0, le=1), KeyDefault(0.0)]


class _Clips(FrozenModel):
    """Settings that all clip inputs share."""

    modality: str | None = None
    """Modality of the prepared clips, e.g. depth, rgb or skeleton (utd-mhad); None if the dataset has one."""
    test_flip: Annotated[bool, KeyDefault(False)] = False
    """Evaluate every frame set mirrored, too, and average both, as PoseConv3D's published results do (ten
    clips, flipped). It doubles the time of tests. Wrong if classes differ by left and right."""

    test_sets: PositiveInt
    """Frame sets per clip whose probabilities are averaged in validation and tests."""

    @property
    def test_views(self) -> int:
        """Number of times that a test reads a clip: its frame sets, and these mirrored."""
        return self.test_sets * (2 if self.test_flip else 1)

    def options(self) -> dict[str, Any]:
        """Return the options that the clip input is built with, without those that follow from the data."""
        return self.model_dump(exclude={"input", "modality", "test_sets", "test_flip"})


class FrameSettings(_Clips):
    """Settings of video frames, alone or next to heatmaps or skeletons."""

    num_frames: NumFrames = 8
    """Segments per clip; one frame is sampled from each (HAC: 8)."""
    resize_px: SidePx = 256
    """Height and width of the resized frame, before the crop."""
    crop_px: SidePx = 224
    """Height and width of the crop: random in training, central in tests."""
    min_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest side of a training crop, as a share of the frame. 1 always crops crop_px (HAC); below 1,
    height and width are sampled between this share of crop_px and the whole frame."""
    flip: bool = True
    """Mirror half of the training clips. Wrong if classes differ by left and right."""
    test_sets: Annotated[PositiveInt, Field(le=1000)] = 5
    """Frame sets per clip whose probabilities are averaged in validation and tests."""
    test_offsets: Annotated[Literal["fixed", "drawn"], KeyDefault("fixed")] = "fixed"
    """Place of a test set's frames in their segments. fixed: evenly spaced over the sets; drawn: sampled for
    every clip and set, as HAC does, once and for all."""
    pixel_scale: Annotated[Literal["statistics", "symmetric"], KeyDefault("statistics")] = "statistics"
    """Scale of the pixels. statistics: by ImageNet's mean and deviation for color, by 0 and 0.25 for depth;
    symmetric: from -1 to 1 (I3D, P-I3D)."""

    @model_validator(mode="after")
    def _check_crop(self) -> Self:
        if self.crop_px > self.resize_px:
            raise ValueError(f"crop_px <= resize_px must hold, but got {self.crop_px} > {self.resize_px}")
        return self

    def frame_options(self) -> dict[str, Any]:
        """Return the options of the frames, without those that follow from the data."""
        return self.model_dump(include=_own_settings(FrameSettings))


class PoseSettings(_Clips):
    """Settings of poses, as joint coordinates or as heatmaps."""

    num_persons: Annotated[PositiveInt, Field(le=1000)] = 2
    """Persons per clip, the most prominent first; absent ones are zeros."""
    frame_joint_drop: FrameJointDrop = 0.0
    """Probability with which each frame of a training clip loses a random joint of every person. Trains for
    poses with missing joints; `autohier robustness` drops by the same rule."""
    test_sets: Annotated[PositiveInt, Field(le=1000)] = 10
    """Frame sets per clip whose probabilities are averaged in validation and tests."""


class SkeletonSettings(PoseSettings):
    """Settings of joint coordinates, alone or next to video frames."""

    stream: Stream = "joint"
    """joint: coordinates; bone: vectors from the parent joint; joint-motion and bone-motion: their
    differences between consecutive frames."""
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 17.0
    """Largest random rotation of a training clip's skeletons about each axis (PYSKL: 0.3 rad)."""
    scaling: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest random scaling of a training clip's skeletons along each axis, as a share."""
    joint_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability that a joint of a training clip is removed."""


class FrameClips(FrameSettings):
    """Video frames."""

    input: Literal["frames"] = "frames"
    """Selects video frames."""


class SkeletonClips(SkeletonSettings):
    """Joint coordinates, for graph networks and temporal convolutions."""

    input: Literal["skeletons"]
    """Selects joint coordinates."""
    num_frames: NumFrames = 100
    """Segments per clip; one frame is sampled from each (ST-GCN++: 100)."""
    sampling: Annotated[Literal["segments", "padded", "repeated"], KeyDefault("segments")] = "segments"
    """Frames of a clip. segments: one of each of num_frames equal segments; padded: its first num_frames
    frames, with zeros behind them if it has fewer (ST-GCN: 300); repeated: with the clip from its start
    instead of zeros (AAGCN, MS-G3D: 300). Frame sets of the last two are equal."""
    flip: bool = False
    """Mirror half of the training clips and swap left and right joints. Wrong if classes differ by left and
    right."""


class HeatmapClips(PoseSettings):
    """Pseudo heatmaps of joints or limbs, for PoseConv3D."""

    input: Literal["heatmaps"]
    """Selects pseudo heatmaps."""
    maps: Literal["joints", "limbs"] = "joints"
    """One map per joint, or one per limb."""
    num_frames: NumFrames = 48
    """Segments per clip; one frame is sampled from each."""
    size_px: SidePx = 56
    """Height and width of the maps."""
    min_area: Annotated[float, Field(gt=0, le=1)] = 0.56
    """Smallest area of a random training crop, as a share of the map."""
    flip: bool = True
    """Mirror half of the training clips and swap left and right joints. Wrong if classes differ by left and
    right."""


class FramesHeatmapsClips(PoseSettings, FrameSettings):
    """Video frames and pseudo heatmaps of the same clip, with one crop and one mirror for both."""

    input: Literal["frames+heatmaps"]
    """Selects video frames with heatmaps."""
    num_map_frames: NumFrames = 32
    """Segments per clip of the heatmaps; one frame is sampled from each."""
    maps: Literal["joints", "limbs"] = "joints"
    """One map per joint, or one per limb."""
    map_px: SidePx = 56
    """Height and width of the maps."""

    def map_options(self) -> dict[str, Any]:
        """Return the options of the heatmaps, without those that follow from the data."""
        return self.model_dump(include=_own_settings(PoseSettings) | {"num_map_frames", "maps", "map_px"})


class FrameSkeletonSettings(SkeletonSettings, FrameSettings):
    """Settings of joint coordinates next to video frames or parts of them."""

    num_skeleton_frames: NumFrames = 100
    """Segments per clip of the skeletons; one frame is sampled from each."""

    def skeleton_options(self) -> dict[str, Any]:
        """Return the options of the skeletons, without those that follow from the data."""
        return self.model_dump(include=_own_settings(SkeletonSettings)) | {
            "num_frames": self.num_skeleton_frames
        }


class FramesSkeletonsClips(FrameSkeletonSettings):
    """Video frames and joint coordinates of the same clip, with one mirror for both."""

    input: Literal["frames+skeletons"]
    """Selects video frames with joint coordinates."""


PART_NAMES: Final = ("left_hand", "right_hand", "body")
"""Parts of the first person that pictures are cut to."""
PartName = Literal["left_hand", "right_hand", "body"]


class PartsSkeletonsClips(FrameSkeletonSettings):
    """Pictures of the hands and the body, and joint coordinates of the same clip, with one mirror for all."""

    input: Literal["parts+skeletons"]
    """Selects pictures of parts with joint coordinates."""
    parts: tuple[PartName, ...] = PART_NAMES
    """Parts that are cut out of the frames and resized to resize_px, with one box per part and clip."""
    hand_size: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Side of the box of a hand that does not move, as a share of the longer side of the body's."""
    sampling: Literal["in-a-row", "segments"] = "in-a-row"
    """Frames of a clip. in-a-row: as many consecutive ones, from a random start, repeated if the clip is
    shorter (P-I3D); segments: one of each of num_frames equal segments."""
    num_frames: NumFrames = 64
    """Frames per clip (P-I3D: 64)."""
    num_skeleton_frames: NumFrames = 20
    """Segments per clip of the skeletons; one frame is sampled from each (P-I3D: 20, N-UCLA 5)."""

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts must differ, but got {', '.join(self.parts)}")
        return self

    def part_options(self) -> dict[str, Any]:
        """Return the options of the pictures, without those that follow from the data."""
        return self.frame_options() | self.model_dump(include={"parts", "hand_size", "sampling"})


def _own_settings(settings: type[_Clips]) -> set[str]:
    """Return the names of settings that not all clip inputs share."""
    return set(settings.model_fields) - set(_Clips.model_fields)


_AnyClips = (
    FrameClips
    | SkeletonClips
    | HeatmapClips
    | FramesHeatmapsClips
    | FramesSkeletonsClips
    | PartsSkeletonsClips
)
_CLASSES: Final[dict[str, type[_AnyClips]]] = {
    "frames": FrameClips,
    "skeletons": SkeletonClips,
    "heatmaps": HeatmapClips,
    "frames+heatmaps": FramesHeatmapsClips,
    "frames+skeletons": FramesSkeletonsClips,
    "parts+skeletons": PartsSkeletonsClips,
}


def find_clip_settings(name: str) -> type[_AnyClips]:
    """Return the settings class of a clip input.

    Raises:
        InputError: if the name is unknown.
    """
    if name not in _CLASSES:
        raise InputError(f"unknown clip input {name!r}", hint=nearest(name, list(_CLASSES)))
    return _CLASSES[name]


CLIPS_TAG: Final = TaggedBy("input", default="frames", find=find_clip_settings)

ClipSettings = Annotated[_AnyClips, CLIPS_TAG]
