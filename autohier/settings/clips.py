"""How a clip becomes a tensor: frames, skeletons or heatmaps, as the recognizer reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from autohier.settings.frozen import FrozenModel, field_of


class _Clips(FrozenModel):
    """What all forms have in common."""

    modality: str | None = None
    """Which prepared clips are read (utd-mhad: depth, rgb or skeleton); None where there is one kind."""


class FrameClips(_Clips):
    """Pictures."""

    form: Literal["frames"] = "frames"
    num_frames: PositiveInt = 8
    """Segments of a clip, one frame from each (HAC: 8)."""
    resize_px: PositiveInt = 256
    """Frames are brought to this size before the crop."""
    crop_px: PositiveInt = 224
    """Random square in training, the centre at test."""
    min_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """1: crops of crop_px (HAC); below: random height and width from this share of crop_px to the frame."""
    flip: bool = True
    """Mirror half of the training clips; wrong where classes have a side."""
    test_sets: PositiveInt = 5
    """Frame sets of a clip whose probabilities are averaged when a stage is measured."""

    @model_validator(mode="after")
    def _crop_fits(self) -> FrameClips:
        if self.crop_px > self.resize_px:
            raise ValueError(f"crop_px <= resize_px must hold, but got {self.crop_px} > {self.resize_px}")
        return self


class SkeletonClips(_Clips):
    """Places of joints, for graph networks and temporal convolutions."""

    form: Literal["skeletons"]
    stream: Literal["joint", "bone", "joint-motion", "bone-motion"] = "joint"
    """Places, vectors from the joint before, or how either moves from frame to frame."""
    num_frames: PositiveInt = 100
    """Equal parts of a clip, one frame from each (ST-GCN++: 100)."""
    num_persons: PositiveInt = 2
    """Persons read, the most prominent first; absent ones are zero."""
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 17.0
    """Training clips are turned about each axis by up to this (PYSKL: 0.3 rad)."""
    scaling: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Training clips are stretched along each axis by up to this share."""
    joint_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How often a joint of a training clip is taken away."""
    flip: bool = False
    """Mirror half of the training clips, left joints for right ones; wrong where classes have a side."""
    test_sets: PositiveInt = 10
    """Frame sets of a clip whose probabilities are averaged when a stage is measured."""


class HeatmapClips(_Clips):
    """Pseudo heatmaps of joints or limbs, for PoseConv3D."""

    form: Literal["heatmaps"]
    maps: Literal["joints", "limbs"] = "joints"
    num_frames: PositiveInt = 48
    """Equal parts of a clip, one frame from each."""
    num_persons: PositiveInt = 2
    """Persons drawn, the most prominent first."""
    size_px: PositiveInt = 56
    """Side of the maps."""
    min_area: Annotated[float, Field(gt=0, le=1)] = 0.56
    """Random crops of training clips take at least this share of the area."""
    flip: bool = True
    """Mirror half of the training clips, left joints for right ones; wrong where classes have a side."""
    test_sets: PositiveInt = 10
    """Frame sets of a clip whose probabilities are averaged when a stage is measured."""


def _form(value: object) -> object:
    return field_of(value, "form", default="frames")


ClipSettings = Annotated[
    Annotated[FrameClips, Tag("frames")]
    | Annotated[SkeletonClips, Tag("skeletons")]
    | Annotated[HeatmapClips, Tag("heatmaps")],
    Discriminator(_form),
]
