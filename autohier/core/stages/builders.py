"""Building a config's clip input, network options, optimizer and learning-rate schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from autohier.config.trial.clips import (
    ClipSettings,
    FrameClips,
    FrameSettings,
    FramesHeatmapsClips,
    FrameSkeletonSettings,
    FramesSkeletonsClips,
    HeatmapClips,
    PartsSkeletonsClips,
    SkeletonClips,
)
from autohier.config.trial.recognizers import RecognizerSettings
from autohier.config.trial.schedules import SCHEDULES
from autohier.config.trial.training import OptimisationSettings
from autohier.core.stages.clip_readings import Clips, Contents
from autohier.core.training.optimizers import OptimizerBuilder, adam, sgd
from autohier.core.training.schedules import ScheduleBuilder, recorded_rates, warm_up
from autohier.data.inputs.base import ClipInput
from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.frames_heatmaps import FramesHeatmapsInput
from autohier.data.inputs.frames_skeletons import FramesSkeletonsInput
from autohier.data.inputs.heatmaps import HeatmapInput
from autohier.data.inputs.parts_skeletons import PartsSkeletonsInput
from autohier.data.inputs.reading.frames_heatmaps import FRAMES, HEATMAPS
from autohier.data.inputs.reading.frames_skeletons import SKELETONS
from autohier.data.inputs.reading.heatmaps import num_maps
from autohier.data.inputs.shapes import ClipShape
from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.layout_files import describe_layout, resolve_layout
from autohier.data.skeleton import present_joints
from autohier.errors import InputError


def open_clip_input(clips: ClipSettings, store: Clips, contents: Contents) -> ClipInput:
    """Open the clip input that the settings describe."""
    if isinstance(clips, FrameClips):
        return FrameInput(store, channels=contents.channels, **clips.options())
    if isinstance(clips, FramesHeatmapsClips):
        frames = FrameInput(store, channels=contents.channels, **clips.frame_options())
        return FramesHeatmapsInput(store=store, frames=frames, layout=contents.layout, **clips.map_options())
    if isinstance(clips, FramesSkeletonsClips):
        return FramesSkeletonsInput(
            frames=FrameInput(store, channels=contents.channels, **clips.frame_options()),
            skeletons=SkeletonInput(store, layout=contents.layout, **clips.skeleton_options()),
        )
    if isinstance(clips, PartsSkeletonsClips):
        skeletons = SkeletonInput(store, layout=contents.layout, **clips.skeleton_options())
        own = clips.part_options()
        return PartsSkeletonsInput(store=store, skeletons=skeletons, channels=contents.channels, **own)
    kind = SkeletonInput if isinstance(clips, SkeletonClips) else HeatmapInput
    return kind(store, layout=contents.layout, **clips.options())


def require_people(
    recognizer: RecognizerSettings, clips: ClipSettings, store: Clips, contents: Contents
) -> None:
    """Refuse clips without any joint that the recognizer reads: it would train on zeros.

    Mostly reads one skeleton only, as the first clip usually shows a person.

    Raises:
        InputError: if no clip has a joint in the image, or in meters if the recognizer reads meters.
    """
    if has_people(clips, store, contents):
        return
    in_image = _reads_image(clips, contents)
    raise InputError(
        f"{recognizer.name} must have clips with joints",
        got=f"clips without joints in {'the image' if in_image else 'meters'}",
        hint="prepare clips with their skeletons, or choose a recognizer that reads these clips",
    )


def has_people(clips: ClipSettings, store: Clips, contents: Contents) -> bool:
    """Return whether any clip of a store has a joint that the clip input reads; True if it reads none."""
    return any(has_people_at(row, clips, store, contents) for row in range(len(store.clips.label)))


def has_people_at(row: int, clips: ClipSettings, store: Clips, contents: Contents) -> bool:
    """Return whether one clip of a store has a joint that the clip input reads; True if it reads none."""
    if isinstance(clips, FrameClips):
        return True
    skeleton = store.skeleton(row)
    places_MTVC = skeleton.pixels_MTV2 if _reads_image(clips, contents) else skeleton.joints_MTV3_m
    return bool(present_joints(places_MTVC, skeleton.scores_MTV).any())


def _reads_image(clips: ClipSettings, contents: Contents) -> bool:
    """Return whether a clip input reads joints in the image, not in meters."""
    in_image = HeatmapClips | FramesHeatmapsClips | PartsSkeletonsClips
    return isinstance(clips, in_image) or contents.layout.planar


def network_options(
    recognizer: RecognizerSettings, clips: ClipSettings, contents: Contents
) -> dict[str, Any]:
    """Return the arguments of autohier.models.build_recognizer for a config, without the name.

    Raises:
        InputError: if the store does not hold the clips that the recognizer reads.
    """
    return recognizer.options() | _options_of_data(recognizer, clips, contents)


def _options_of_data(
    recognizer: RecognizerSettings, clips: ClipSettings, contents: Contents
) -> dict[str, Any]:
    if isinstance(clips, SkeletonClips):
        persons = {"num_persons": clips.num_persons} if recognizer.takes_persons else {}
        return {"layout": describe_layout(contents.layout), **persons}
    if isinstance(clips, HeatmapClips):
        return {"in_channels": num_maps(contents.layout, clips.maps)}
    if not contents.channels:
        raise InputError(
            f"{recognizer.name} must have clips with frames",
            got="clips prepared without frames",
            hint="choose another clips.modality",
        )
    if isinstance(clips, FrameSkeletonSettings):
        persons = {"num_persons": clips.num_persons} if isinstance(clips, PartsSkeletonsClips) else {}
        return {"in_channels": contents.channels, "layout": describe_layout(contents.layout), **persons}
    if isinstance(clips, FramesHeatmapsClips):
        return {"in_channels": contents.channels, "num_maps": num_maps(contents.layout, clips.maps)}
    return {"in_channels": contents.channels}


def clip_shape(clips: ClipSettings, options: Mapping[str, Any]) -> ClipShape:
    """Return the shape of one clip like `ClipInput.clip_shape`, without reading clips.

    Args:
        clips: the settings.
        options: the options that `network_options` returned for them.
    """
    if isinstance(clips, FrameSettings):
        frames = (options["in_channels"], clips.num_frames, clips.crop_px, clips.crop_px)
        if isinstance(clips, FrameSkeletonSettings):
            num_joints = resolve_layout(options["layout"]).num_joints
            joints = (clips.num_persons, clips.num_skeleton_frames, num_joints, 3)
            names = clips.parts if isinstance(clips, PartsSkeletonsClips) else (FRAMES,)
            return {**dict.fromkeys(names, frames), SKELETONS: joints}
        if not isinstance(clips, FramesHeatmapsClips):
            return frames
        return {
            FRAMES: frames,
            HEATMAPS: (options["num_maps"], clips.num_map_frames, clips.map_px, clips.map_px),
        }
    if isinstance(clips, SkeletonClips):
        return (clips.num_persons, clips.num_frames, resolve_layout(options["layout"]).num_joints, 3)
    return (options["in_channels"], clips.num_frames, clips.size_px, clips.size_px)


def optimizer_builder(optimisation: OptimisationSettings) -> OptimizerBuilder:
    """Return the builder of a stage's optimizer, with its options bound."""
    rate, decay = optimisation.learning_rate, optimisation.weight_decay
    if optimisation.optimizer == "adam":
        return partial(adam, learning_rate=rate, weight_decay=decay)
    momentum, nesterov = optimisation.momentum, optimisation.nesterov
    return partial(sgd, learning_rate=rate, weight_decay=decay, momentum=momentum, nesterov=nesterov)


def schedule_builder(optimisation: OptimisationSettings, rates: Sequence[float] = ()) -> ScheduleBuilder:
    """Return the builder of a stage's learning-rate schedule, with its options bound.

    Args:
        optimisation: the settings.
        rates: learning rate of every epoch, which replace the schedule; empty uses the schedule.

    Raises:
        InputError: if the schedule cannot be imported.
    """
    if rates:
        return partial(recorded_rates, rates=rates)
    builder: ScheduleBuilder = partial(
        SCHEDULES.find(optimisation.schedule).load(), **optimisation.schedule_settings.model_dump()
    )
    if optimisation.warmup_epochs:
        return partial(warm_up, schedule=builder, warmup_epochs=optimisation.warmup_epochs)
    return builder
