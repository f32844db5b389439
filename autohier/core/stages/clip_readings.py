"""Reading clips as a config describes it, for evaluation without torch."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol

from autohier.config.trial.clips import (
    ClipSettings,
    FrameClips,
    FramesHeatmapsClips,
    FramesSkeletonsClips,
    PartsSkeletonsClips,
    SkeletonClips,
)
from autohier.data.inputs.reading.base import ClipReading
from autohier.data.inputs.reading.frames import FrameReading
from autohier.data.inputs.reading.frames_heatmaps import FramesHeatmapsReading
from autohier.data.inputs.reading.frames_skeletons import FramesSkeletonsReading
from autohier.data.inputs.reading.heatmaps import HeatmapReading
from autohier.data.inputs.reading.parts_skeletons import PartsSkeletonsReading
from autohier.data.inputs.reading.skeletons import SkeletonReading
from autohier.data.inputs.stores import PictureStore
from autohier.data.joint_layout import JointLayout


class Contents(Protocol):
    """Contents of a dataset's clips; see data.store.manifest.Manifest."""

    @property
    def channels(self) -> int:
        """Channels of frames; 0 without frames."""

    @property
    def layout(self) -> JointLayout:
        """Joint layout of the skeletons."""


class Clips(PictureStore, Protocol):
    """A store that every clip input can read; see data.store.reader.ClipStore."""


def open_reading(clips: ClipSettings, store: Clips, contents: Contents) -> ClipReading:
    """Open the part of a clip input that evaluation without torch needs."""
    if isinstance(clips, FrameClips):
        return FrameReading(store, channels=contents.channels, **_own(FrameReading, clips.options()))
    if isinstance(clips, FramesHeatmapsClips):
        own = _own(FrameReading, clips.frame_options())
        frames = FrameReading(store, channels=contents.channels, **own)
        maps = _own(FramesHeatmapsReading, clips.map_options())
        return FramesHeatmapsReading(store=store, frames=frames, layout=contents.layout, **maps)
    if isinstance(clips, FramesSkeletonsClips):
        own = _own(FrameReading, clips.frame_options())
        joints = _own(SkeletonReading, clips.skeleton_options())
        return FramesSkeletonsReading(
            frames=FrameReading(store, channels=contents.channels, **own),
            skeletons=SkeletonReading(store, layout=contents.layout, **joints),
        )
    if isinstance(clips, PartsSkeletonsClips):
        own = _own(PartsSkeletonsReading, clips.part_options())
        joints = _own(SkeletonReading, clips.skeleton_options())
        skeletons = SkeletonReading(store, layout=contents.layout, **joints)
        return PartsSkeletonsReading(store=store, skeletons=skeletons, channels=contents.channels, **own)
    kind = SkeletonReading if isinstance(clips, SkeletonClips) else HeatmapReading
    return kind(store, layout=contents.layout, **_own(kind, clips.options()))


def _own(kind: type[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are fields of a reading; the others are for training."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in options.items() if name in names}
