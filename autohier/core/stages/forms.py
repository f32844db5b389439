"""What a setting's recognizer reads of a store, and what it is built with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from autohier.data.forms.form import ClipForm
from autohier.data.forms.frames import FrameForm, FrameStore
from autohier.data.forms.heatmaps import HeatmapForm, num_maps
from autohier.data.forms.skeletons import SkeletonForm, SkeletonStore
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError
from autohier.settings.clips import ClipSettings, FrameClips, HeatmapClips, SkeletonClips
from autohier.settings.recognizers import RecognizerSettings


class Contents(Protocol):
    """What clips of a dataset hold; see data.store.manifest.Manifest."""

    @property
    def channels(self) -> int:
        """Of frames; 0 where there are none."""

    @property
    def joint_layout(self) -> str:
        """Of skeletons."""


class Clips(FrameStore, SkeletonStore, Protocol):
    """What every form can be read from; see data.store.reader.ClipStore."""


def open_form(clips: ClipSettings, store: Clips, contents: Contents) -> ClipForm:
    """A store's clips as the settings have them read."""
    if isinstance(clips, FrameClips):
        return FrameForm(
            store,
            channels=contents.channels,
            num_frames=clips.num_frames,
            resize_px=clips.resize_px,
            crop_px=clips.crop_px,
            min_scale=clips.min_scale,
            flip=clips.flip,
        )
    if isinstance(clips, SkeletonClips):
        return SkeletonForm(
            store,
            layout=LAYOUTS[contents.joint_layout],
            stream=clips.stream,
            num_frames=clips.num_frames,
            num_persons=clips.num_persons,
            rotation_degrees=clips.rotation_degrees,
            scaling=clips.scaling,
            joint_drop=clips.joint_drop,
            flip=clips.flip,
        )
    return HeatmapForm(
        store,
        layout=LAYOUTS[contents.joint_layout],
        maps=clips.maps,
        num_frames=clips.num_frames,
        num_persons=clips.num_persons,
        size_px=clips.size_px,
        min_area=clips.min_area,
        flip=clips.flip,
    )


def require_people(
    recognizer: RecognizerSettings, clips: ClipSettings, store: Clips, contents: Contents
) -> None:
    """Refuse clips that show nobody where the recognizer looks: it would be trained on zeros.

    Costs the reading of one skeleton, as the first clip mostly shows somebody.

    Raises:
        InputError: where no clip has a joint in the image, or in metres where these are read.
    """
    if isinstance(clips, FrameClips):
        return
    in_image = isinstance(clips, HeatmapClips) or LAYOUTS[contents.joint_layout].planar
    for row in range(len(store.clips.label)):
        skeleton = store.skeleton(row)
        # Files write zeros for whom a frame does not show.
        if np.nan_to_num(skeleton.pixels_MTV2 if in_image else skeleton.joints_MTV3_m).any():
            return
    raise InputError(
        f"{recognizer.name} must have people to look at",
        got=f"clips without joints in {'the image' if in_image else 'metres'}",
        remedy="prepare clips with their skeletons, or choose a recognizer that reads what these hold",
    )


def network_options(
    recognizer: RecognizerSettings, clips: ClipSettings, contents: Contents
) -> dict[str, Any]:
    """What autohier.models.build_recognizer is given for a setting, beside the name.

    Raises:
        InputError: where the store does not hold what the recognizer reads.
    """
    if isinstance(clips, FrameClips):
        if not contents.channels:
            raise InputError(
                f"{recognizer.name} must have frames to look at",
                got="clips prepared without frames",
                remedy="choose another clips.modality",
            )
        return {**recognizer.options(), "in_channels": contents.channels}
    if isinstance(clips, SkeletonClips):
        return {**recognizer.options(), "layout": contents.joint_layout}
    return {**recognizer.options(), "in_channels": num_maps(LAYOUTS[contents.joint_layout], clips.maps)}


def clip_shape(clips: ClipSettings, options: Mapping[str, Any]) -> tuple[int, ...]:
    """What a network reads of one clip, as `ClipForm.clip_shape` has it, without the clips.

    Args:
        clips: the settings.
        options: those that `network_options` gave for them.
    """
    if isinstance(clips, FrameClips):
        return (options["in_channels"], clips.num_frames, clips.crop_px, clips.crop_px)
    if isinstance(clips, SkeletonClips):
        return (clips.num_persons, clips.num_frames, LAYOUTS[options["layout"]].num_joints, 3)
    return (options["in_channels"], clips.num_frames, clips.size_px, clips.size_px)
