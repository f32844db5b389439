"""Requirements of a model on a video and a pose model, checked before or at the first frame."""

from __future__ import annotations

import math

from autohier.data.joint_layout import JointLayout
from autohier.data.shipped_layouts import BLAZEPOSE_33
from autohier.data.skeleton import COCO_17
from autohier.data.video.live_source import LiveFrame
from autohier.deploy.live.window import WindowLength, reads_pictures
from autohier.deploy.model_file import ExportedModel, ExportedNetwork
from autohier.errors import InputError
from autohier.machine import machine_share

_POSE_HINT = "name a pose model: --blazepose FILE, --rtmo FILE, or --rtmpose FILE --detector FILE"


def check_model(model: ExportedModel, *, has_poses: bool, whole_frame: bool) -> None:
    """Check that a model can read a video.

    Args:
        model: the model.
        has_poses: True if there is a pose estimator.
        whole_frame: True reads pictures without poses uncropped.

    Raises:
        InputError: if it reads depth, or needs poses and there are none.
    """
    for network in model.networks:
        options = network.prepared.options
        if network.prepared.channels == 1 and reads_pictures(network):
            raise InputError(
                "live reads color videos",
                got=f"a model of {options.dataset}'s {options.modality}",
                hint="export a model of videos or of poses in the image",
            )
        if has_poses:
            continue
        if _reads_joints(network):
            raise InputError(
                "the model reads poses, which must be found", got="no pose model", hint=_POSE_HINT
            )
        if (
            reads_pictures(network)
            and options.cropped
            and options.without_skeleton == "reject"
            and not whole_frame
        ):
            raise InputError(
                "the model reads pictures that are cropped to persons, whose poses must be found",
                got="no pose model",
                hint=f"{_POSE_HINT}; or add --whole-frame",
            )


def check_layout(model: ExportedModel, found: JointLayout) -> None:
    """Check that the joints that a pose model finds are those that the networks read.

    Raises:
        InputError: if they are not.
    """
    for network in model.networks:
        layout = network.prepared.layout
        is_same = layout.planar and layout.joint_names == found.joint_names
        if _reads_joints(network) and not is_same:
            place = "image" if layout.planar else "space"
            raise InputError(
                "a pose model must find the joints that the model reads",
                got=f"{found.name} in the image for {layout.name} in {_article(place)}",
                hint="train a model on poses that autohier poses found with this pose model",
            )


def blazepose_layout(model: ExportedModel) -> JointLayout:
    """Return which of BlazePose's joints a model reads; COCO's if it reads none.

    Raises:
        InputError: if it reads other joints.
    """
    reads = {network.prepared.layout.joint_names for network in model.networks if _reads_joints(network)}
    layout = BLAZEPOSE_33 if reads == {BLAZEPOSE_33.joint_names} else COCO_17
    check_layout(model, layout)
    return layout


def default_window(model: ExportedModel) -> WindowLength:
    """Return the length of the model's training clips.

    Raises:
        InputError: if the model does not say it.
    """
    lengths = [network.clip_frames for network in model.networks if network.clip_frames is not None]
    if not lengths:
        raise InputError(
            "a model of an earlier version does not say how long its clips are",
            hint="add --window, e.g. --window 2.5s, or export the model again",
        )
    return WindowLength(max(lengths))


def check_room(window: WindowLength, frame: LiveFrame) -> None:
    """Check that the pictures of a window fit half of the memory.

    Raises:
        InputError: if they do not.
    """
    memory_bytes = machine_share().memory_bytes
    num_frames = window.frames or math.ceil((window.seconds or 0) / frame.duration_s)
    needed_bytes = num_frames * frame.picture_HW3.nbytes
    if memory_bytes is not None and needed_bytes > memory_bytes / 2:
        raise InputError(
            "the pictures of a window must fit half of the memory",
            got=f"{needed_bytes / 2**30:.1f} of {memory_bytes / 2**30:.1f} GiB for {window}",
            hint="choose a shorter --window, or a smaller video",
        )


def _reads_joints(network: ExportedNetwork) -> bool:
    return network.clips.input != "frames"


def _article(place: str) -> str:
    return "the image" if place == "image" else place
