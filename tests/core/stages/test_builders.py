"""Clip inputs and network options of a config, and clip stores that a recognizer cannot use."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from autohier.config.trial.clips import FrameClips, FramesSkeletonsClips, HeatmapClips, SkeletonClips
from autohier.config.trial.recognizers import (
    AdaptiveGraphSettings,
    InflatedResNetSettings,
    PoseSlowOnlySettings,
    StGcnSettings,
    TwoStreamSettings,
)
from autohier.config.trial.training import OptimisationSettings
from autohier.core.stages.builders import (
    network_options,
    open_clip_input,
    optimizer_builder,
    require_people,
)
from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.heatmaps import HeatmapInput
from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.skeleton import COCO_17, KINECT_V1_20, KINECT_V2_25, LAYOUTS, Skeleton
from autohier.errors import InputError

NAN = np.nan
RESNET, GRAPH = InflatedResNetSettings(width=0.5), StGcnSettings(name="st-gcn++", stacks=(5, 5))
POSES = PoseSlowOnlySettings(name="pose-slowonly-small", initialisation="fan-out")


def test_sgd_has_all_of_its_settings():
    settings = OptimisationSettings(
        optimizer="sgd", learning_rate=0.2, momentum=0.5, nesterov=False, weight_decay=0.01
    )
    optimizer = optimizer_builder(settings)([nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.SGD)
    names = ("lr", "momentum", "nesterov", "weight_decay")
    assert [optimizer.param_groups[0][name] for name in names] == [0.2, 0.5, False, 0.01]
    default = optimizer_builder(OptimisationSettings(optimizer="sgd"))([nn.Parameter(torch.zeros(1))])
    assert [default.param_groups[0][name] for name in names] == [1e-4, 0.9, True, 0]


def contents(layout=KINECT_V2_25, *, channels=3):
    return SimpleNamespace(channels=channels, layout=layout)


class FakeSkeletonStore:
    """Fake clip store of given skeletons that records the rows that are read."""

    def __init__(self, *skeletons):
        self.clips = SimpleNamespace(label=np.zeros(len(skeletons), dtype=np.int64))
        self._skeletons, self.read = skeletons, []

    def skeleton(self, row):
        self.read.append(row)
        return self._skeletons[row]


def clip_of(layout=KINECT_V2_25, *, meters=NAN, pixels=NAN, num_persons=1):
    shape_MTV = (num_persons, 2, layout.num_joints)
    joints, places = (np.full((*shape_MTV, size), NAN, dtype=np.float32) for size in (3, 2))
    joints[:, 1, 3], places[:, 1, 3] = meters, pixels
    return Skeleton(joints, places, 640, 480, layout.name)


@pytest.mark.parametrize(
    ("clips", "clip_input"),
    [
        (FrameClips(
                num_frames=3, resize_px=40, crop_px=32, min_scale=0.5, flip=False, test_offsets="drawn",
                pixel_scale="symmetric",
            ),
            FrameInput,),
        (
            SkeletonClips(
                input="skeletons", stream="bone", num_frames=7, num_persons=3, rotation_degrees=5,
                scaling=0.3, joint_drop=0.2, frame_joint_drop=0.1, flip=True, sampling="padded",
            ),
            SkeletonInput,
        ),
        (
            HeatmapClips(
                input="heatmaps", maps="limbs", num_frames=7, num_persons=3, size_px=20, min_area=0.9,
                frame_joint_drop=0.1, flip=False,
            ),
            HeatmapInput,
        ),
    ],
)  # fmt: skip
def test_the_clip_input_has_the_options_of_the_settings(clips, clip_input):
    store = FakeSkeletonStore()
    opened = open_clip_input(clips, store, contents(COCO_17, channels=1))
    assert type(opened) is clip_input
    assert opened.store is store
    read = clips.model_dump(exclude={"input", "modality", "test_sets", "test_flip"})
    assert read == {name: getattr(opened, name) for name in read}
    defaults = type(clips)(input=clips.input).model_dump()
    assert all(value != defaults[name] for name, value in read.items())
    if clip_input is FrameInput:
        assert opened.channels == 1
    else:
        assert opened.layout is COCO_17


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_network_options_follow_the_contents_of_the_clips(layout):
    held = contents(layout, channels=1)
    frames, skeletons = FrameClips(), SkeletonClips(input="skeletons")
    assert network_options(RESNET, frames, held) == {
        "width": 0.5, "initialisation": "fan-in", "in_channels": 1
    }  # fmt: skip
    assert network_options(GRAPH, skeletons, held) == {
        "width": 1.0, "stacks": (5, 5), "layout": layout.name
    }  # fmt: skip
    persons = SkeletonClips(input="skeletons", num_persons=3)
    options = network_options(AdaptiveGraphSettings(name="ctr-gcn"), persons, held)
    assert options == {"width": 1.0, "stacks": (4, 3, 3), "layout": layout.name, "num_persons": 3}
    # Limbs form a tree over the joints; if the hips hang on the shoulders, they are also joined.
    num_limbs = layout.num_joints - 1 + layout.name.startswith(("coco", "blazepose"))
    for maps, num_maps in (("joints", layout.num_joints), ("limbs", num_limbs)):
        options = network_options(POSES, HeatmapClips(input="heatmaps", maps=maps), held)
        assert options == {
            "width": 1.0,
            "initialisation": "fan-out",
            "stem_pool": True,
            "last_frame_stride": 2,
            "in_channels": num_maps,
        }
    both = FramesSkeletonsClips(input="frames+skeletons")
    options = network_options(TwoStreamSettings(name="two-stream"), both, held)
    assert (options["in_channels"], options["layout"]) == (1, layout.name)


def test_a_frame_recognizer_needs_frames():
    with pytest.raises(
        InputError, match=r"^inflated-resnet50 must have clips with frames, .* clips\.modality$"
    ):
        network_options(RESNET, FrameClips(), contents(channels=0))


SKELETONS, HEATMAPS = SkeletonClips(input="skeletons"), HeatmapClips(input="heatmaps")


class TestRequirePeople:
    @pytest.mark.parametrize(
        ("recognizer", "clips", "with_person"),
        [
            (GRAPH, SKELETONS, clip_of(meters=(0.5, 0.5, 3))),
            (GRAPH, SKELETONS, clip_of(KINECT_V1_20, meters=(0.5, 0.5, 3), pixels=5)),
            (GRAPH, SKELETONS, clip_of(COCO_17, pixels=5)),
            (POSES, HEATMAPS, clip_of(pixels=5)),
            (POSES, HEATMAPS, clip_of(COCO_17, pixels=(0, 5))),
            (RESNET, FrameClips(), clip_of()),
        ],
    )
    def test_one_clip_with_a_person_is_enough(self, recognizer, clips, with_person):
        layout = LAYOUTS[with_person.layout]
        empty = clip_of(layout, num_persons=0)
        store = FakeSkeletonStore(empty, empty, with_person, empty, with_person)
        require_people(recognizer, clips, store, contents(layout))
        # Frames need no person, so that no skeleton is read; otherwise reading ends at the first person.
        assert store.read == ([] if recognizer is RESNET else [0, 1, 2])

    @pytest.mark.parametrize("absent", [NAN, 0])
    @pytest.mark.parametrize(
        ("recognizer", "clips", "layout", "other", "rule"),
        [
            (GRAPH, SKELETONS, KINECT_V2_25, {"pixels": 5}, "st-gcn++ .* without joints in meters"),
            (GRAPH, SKELETONS, COCO_17, {}, "st-gcn++ .* without joints in the image"),
            (POSES, HEATMAPS, KINECT_V2_25, {"meters": 1}, "pose-slowonly-small .* without joints in "),
        ],
    )  # fmt: skip
    def test_clips_without_persons_are_refused(self, recognizer, clips, layout, other, rule, absent):
        empty = clip_of(layout, **{"meters": absent, "pixels": absent, **other})
        store = FakeSkeletonStore(clip_of(layout, num_persons=0), empty, empty)
        rule = "^" + rule.replace("+", r"\+").replace(" .* ", " must have clips with joints, but got clips ")
        with pytest.raises(InputError, match=f"{rule}.*: prepare clips with their skeletons, or choose "):
            require_people(recognizer, clips, store, contents(layout))
