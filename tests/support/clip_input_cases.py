"""Clip inputs of every kind, over any store; a new one is one line in CASES."""

from typing import get_args

from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.frames_heatmaps import FramesHeatmapsInput
from autohier.data.inputs.frames_skeletons import FramesSkeletonsInput
from autohier.data.inputs.heatmaps import HeatmapInput
from autohier.data.inputs.parts_skeletons import PartsSkeletonsInput
from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.skeleton import COCO_17, KINECT_V2_25
from autohier.data.transforms.skeletons import Stream

NUM_PERSONS = 2
AUGMENTATION = {"rotation_degrees": 20.0, "scaling": 0.1, "joint_drop": 0.2, "flip": True}


def frames(store, layout):  # noqa: ARG001
    return FrameInput(store, 3, num_frames=3, resize_px=16, crop_px=12, min_scale=0.5, flip=True)


def skeletons(stream):
    def make(store, layout):
        return SkeletonInput(store, layout, stream, num_frames=3, num_persons=NUM_PERSONS, **AUGMENTATION)

    return make


def heatmaps(maps):
    def make(store, layout):
        sizes = {"num_frames": 3, "num_persons": NUM_PERSONS, "size_px": 16}
        return HeatmapInput(store, layout, maps, **sizes, min_area=0.5, flip=True)

    return make


def frames_heatmaps(store, layout):
    maps = {"maps": "joints", "num_map_frames": 2, "num_persons": NUM_PERSONS, "map_px": 10}
    return FramesHeatmapsInput(store=store, frames=frames(store, layout), layout=layout, **maps)


def frames_skeletons(store, layout):
    return FramesSkeletonsInput(frames=frames(store, layout), skeletons=skeletons("joint")(store, layout))


def parts_skeletons(store, layout):
    return PartsSkeletonsInput(
        store=store,
        skeletons=skeletons("joint")(store, layout),
        channels=3,
        parts=("left_hand", "right_hand", "body"),
        hand_size=0.4,
        sampling="segments",
        num_frames=3,
        resize_px=16,
        crop_px=12,
        min_scale=0.5,
        flip=True,
    )


SKELETON_INPUTS = {f"{stream} of skeletons": skeletons(stream) for stream in get_args(Stream)}
SKELETON_INPUTS |= {f"heatmaps of {maps}": heatmaps(maps) for maps in ("joints", "limbs")}
CASES = {
    "frames": (frames, KINECT_V2_25),
    "frames with heatmaps": (frames_heatmaps, KINECT_V2_25),
    "frames with skeletons": (frames_skeletons, KINECT_V2_25),
    "parts with skeletons": (parts_skeletons, KINECT_V2_25),
}
SKELETON_CASES = {
    **{f"{name} in space": (make, KINECT_V2_25) for name, make in SKELETON_INPUTS.items()},
    **{f"{name} in images": (make, COCO_17) for name, make in SKELETON_INPUTS.items()},
}
CASES |= SKELETON_CASES
