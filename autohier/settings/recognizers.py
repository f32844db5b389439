"""Which network, by family, and what can be chosen of each."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, PositiveFloat, PositiveInt, Tag, field_validator

from autohier.settings.frozen import FrozenModel, field_of


def absolute_path(path: str) -> str:
    """A user's path, as trials run in other folders and a sweep may be resumed from another one."""
    return str(Path(path).expanduser().resolve())


class _Recognizer(FrozenModel):
    """What all families have in common."""

    width: PositiveFloat = 1.0
    """Multiplies every channel count."""

    def options(self) -> dict[str, object]:
        """What the network is built with, beside its name and what follows from the data."""
        return self.model_dump(exclude={"name", "weights"})


class InflatedResNetSettings(_Recognizer):
    """A 2D ResNet that also looks at the frame before and the frame after."""

    reads: ClassVar[str] = "frames"
    name: str = "inflated-resnet50"
    """A name that autohier.models.build_recognizer knows."""
    initialisation: Literal["fan-in", "fan-out"] = "fan-in"
    """He initialisation; fan-out makes raw norms incomparable between layers."""
    weights: str | None = None
    """A 2D ResNet's .safetensors or .pth to inflate; None starts at random."""

    @field_validator("weights")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        return path and absolute_path(path)


class StGcnSettings(_Recognizer):
    """A graph network on joints."""

    reads: ClassVar[str] = "skeletons"
    name: str
    """st-gcn or st-gcn++."""
    stacks: tuple[PositiveInt, ...] = (4, 3, 3)
    """How many of the ten blocks each stack takes; by change of width where not given."""
    weights: ClassVar[None] = None


class TemporalConvSettings(_Recognizer):
    """Convolutions over time of all joints at once."""

    reads: ClassVar[str] = "skeletons"
    name: str
    """tcn."""
    num_blocks: PositiveInt = 2
    """Residual blocks of each of the three stacks."""
    num_frames_seen: PositiveInt = 5
    """Extent of a convolution, odd."""
    weights: ClassVar[None] = None


class PoseSlowOnlySettings(_Recognizer):
    """A 3D network on pseudo heatmaps of joints or limbs."""

    reads: ClassVar[str] = "heatmaps"
    name: str
    """pose-slowonly, pose-slowonly-small or pose-slowonly-shallow."""
    initialisation: Literal["fan-in", "fan-out"] = "fan-in"
    """See the inflated ResNet's."""
    weights: ClassVar[None] = None


_FAMILIES = ("inflated-resnet", "st-gcn", "tcn", "pose-slowonly")


def _family(value: object) -> str:
    # The nearest, so that a misspelt name is told of as such once the network is built.
    name = str(field_of(value, "name", default="inflated-resnet"))
    return difflib.get_close_matches(name, _FAMILIES, n=1, cutoff=0.0)[0]


RecognizerSettings = Annotated[
    Annotated[InflatedResNetSettings, Tag("inflated-resnet")]
    | Annotated[StGcnSettings, Tag("st-gcn")]
    | Annotated[TemporalConvSettings, Tag("tcn")]
    | Annotated[PoseSlowOnlySettings, Tag("pose-slowonly")],
    Discriminator(_family),
]
