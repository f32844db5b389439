"""Base classes of the settings of recognizers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import PositiveFloat, model_validator

from autohier.config.frozen import FrozenModel
from autohier.config.key_defaults import KeyDefault
from autohier.config.trial.clips import ClipInputName, ClipSettings


def absolute_path(path: str) -> str:
    """Return a user's path as an absolute one: trials and resumed sweeps run in other folders."""
    return str(Path(path).expanduser().resolve())


class RecognizerSettings(FrozenModel):
    """Base class of a recognizer's settings.

    A subclass names the clip input that the recognizer reads and adds one field per option. The builder of
    the recognizer is called with ``options()`` and with one argument that follows from the data:
    ``in_channels``, an int, if it reads frames or heatmaps; ``layout``, the name of a `JointLayout`, if it
    reads skeletons; see also ``takes_persons``. If it reads frames with heatmaps, ``in_channels`` are those
    of the frames, and ``num_maps``, an int, is the second argument; for frames with skeletons it is
    ``layout``; for parts with skeletons ``layout`` and ``num_persons``::

        class GruSettings(RecognizerSettings):
            reads = "skeletons"
            hidden: PositiveInt = 64

        def build(*, layout: str, hidden: int = 64) -> Recognizer: ...

    Options are part of the stage keys, so that two trials with different options share no stage.
    """

    reads: ClassVar[ClipInputName]
    """Clip input that the recognizer reads: frames, skeletons, heatmaps, frames+heatmaps,
    frames+skeletons or parts+skeletons."""
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


class ScaledRecognizerSettings(RecognizerSettings):
    """Settings of a recognizer whose channel counts scale together."""

    width: PositiveFloat = 1.0
    """Factor of every channel count."""


class FramesHeatmapsSettings(ScaledRecognizerSettings):
    """Settings of a recognizer of frames with heatmaps; enough if it has no option but its width."""

    reads: ClassVar[ClipInputName] = "frames+heatmaps"


class FramesSkeletonsSettings(ScaledRecognizerSettings):
    """Settings of a recognizer of frames with skeletons; enough if it has no option but its width."""

    reads: ClassVar[ClipInputName] = "frames+skeletons"
