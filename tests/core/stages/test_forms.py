"""What a setting's recognizer reads of a store, and which stores it cannot read."""

from types import SimpleNamespace

import numpy as np
import pytest

from autohier.core.stages.forms import network_options, open_form, require_people
from autohier.data.forms.frames import FrameForm
from autohier.data.forms.heatmaps import HeatmapForm
from autohier.data.forms.skeletons import SkeletonForm
from autohier.data.skeleton import COCO_17, KINECT_V1_20, KINECT_V2_25, LAYOUTS, Skeleton
from autohier.errors import InputError
from autohier.settings.clips import FrameClips, HeatmapClips, SkeletonClips
from autohier.settings.recognizers import InflatedResNetSettings, PoseSlowOnlySettings, StGcnSettings

NAN = np.nan
RESNET, GRAPH = InflatedResNetSettings(width=0.5), StGcnSettings(name="st-gcn++", stacks=(5, 5))
POSES = PoseSlowOnlySettings(name="pose-slowonly-small", initialisation="fan-out")


def contents(layout=KINECT_V2_25, *, channels=3):
    return SimpleNamespace(channels=channels, joint_layout=layout.name)


class People:
    """Clips of one joint that is somewhere; and which of them are read."""

    def __init__(self, *skeletons):
        self.clips = SimpleNamespace(label=np.zeros(len(skeletons), dtype=np.int64))
        self._skeletons, self.read = skeletons, []

    def skeleton(self, row):
        self.read.append(row)
        return self._skeletons[row]


def clip_of(layout=KINECT_V2_25, *, metres=NAN, pixels=NAN, num_persons=1):
    shape_MTV = (num_persons, 2, layout.num_joints)
    joints, places = (np.full((*shape_MTV, size), NAN, dtype=np.float32) for size in (3, 2))
    joints[:, 1, 3], places[:, 1, 3] = metres, pixels
    return Skeleton(joints, places, 640, 480, layout.name)


@pytest.mark.parametrize(
    ("clips", "form"),
    [
        (FrameClips(num_frames=3, resize_px=40, crop_px=32, min_scale=0.5, flip=False), FrameForm),
        (
            SkeletonClips(
                form="skeletons", stream="bone", num_frames=7, num_persons=3, rotation_degrees=5, scaling=0.3,
                joint_drop=0.2, flip=True,
            ),
            SkeletonForm,
        ),
        (
            HeatmapClips(
                form="heatmaps", maps="limbs", num_frames=7, num_persons=3, size_px=20, min_area=0.9,
                flip=False,
            ),
            HeatmapForm,
        ),
    ],
)  # fmt: skip
def test_clips_are_read_as_the_settings_say(clips, form):
    store = People()
    opened = open_form(clips, store, contents(COCO_17, channels=1))
    assert type(opened) is form
    assert opened.store is store
    read = clips.model_dump(exclude={"form", "modality", "test_sets"})
    assert read == {name: getattr(opened, name) for name in read}
    defaults = type(clips)(form=clips.form).model_dump()
    assert all(value != defaults[name] for name, value in read.items())
    if form is FrameForm:
        assert opened.channels == 1
    else:
        assert opened.layout is COCO_17


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_networks_are_built_for_what_the_clips_hold(layout):
    held = contents(layout, channels=1)
    frames, skeletons = FrameClips(), SkeletonClips(form="skeletons")
    assert network_options(RESNET, frames, held) == {
        "width": 0.5, "initialisation": "fan-in", "in_channels": 1
    }  # fmt: skip
    assert network_options(GRAPH, skeletons, held) == {
        "width": 1.0, "stacks": (5, 5), "layout": layout.name
    }  # fmt: skip
    # Each joint but one hangs on another; COCO's hips are joined besides.
    num_limbs = layout.num_joints - 1 + (layout is COCO_17)
    for maps, num_maps in (("joints", layout.num_joints), ("limbs", num_limbs)):
        options = network_options(POSES, HeatmapClips(form="heatmaps", maps=maps), held)
        assert options == {"width": 1.0, "initialisation": "fan-out", "in_channels": num_maps}


def test_a_recognizer_of_frames_needs_frames():
    with pytest.raises(
        InputError, match=r"^inflated-resnet50 must have frames to look at, .* clips\.modality$"
    ):
        network_options(RESNET, FrameClips(), contents(channels=0))


SKELETONS, HEATMAPS = SkeletonClips(form="skeletons"), HeatmapClips(form="heatmaps")


class TestPeople:
    @pytest.mark.parametrize(
        ("recognizer", "clips", "shown"),
        [
            (GRAPH, SKELETONS, clip_of(metres=(0.5, 0.5, 3))),
            (GRAPH, SKELETONS, clip_of(KINECT_V1_20, metres=(0.5, 0.5, 3), pixels=5)),
            (GRAPH, SKELETONS, clip_of(COCO_17, pixels=5)),
            (POSES, HEATMAPS, clip_of(pixels=5)),
            (POSES, HEATMAPS, clip_of(COCO_17, pixels=(0, 5))),
            (RESNET, FrameClips(), clip_of()),
        ],
    )
    def test_whoever_is_shown_somewhere_will_do(self, recognizer, clips, shown):
        layout = LAYOUTS[shown.layout]
        nobody = clip_of(layout, num_persons=0)
        store = People(nobody, nobody, shown, nobody, shown)
        require_people(recognizer, clips, store, contents(layout))
        # Frames are read whoever is in them, and nothing behind the first clip that will do.
        assert store.read == ([] if recognizer is RESNET else [0, 1, 2])

    @pytest.mark.parametrize("absent", [NAN, 0])
    @pytest.mark.parametrize(
        ("recognizer", "clips", "layout", "elsewhere", "told"),
        [
            (GRAPH, SKELETONS, KINECT_V2_25, {"pixels": 5}, "st-gcn++ .* without joints in metres"),
            (GRAPH, SKELETONS, COCO_17, {}, "st-gcn++ .* without joints in the image"),
            (POSES, HEATMAPS, KINECT_V2_25, {"metres": 1}, "pose-slowonly-small .* without joints in "),
        ],
    )  # fmt: skip
    def test_clips_of_nobody_are_refused(self, recognizer, clips, layout, elsewhere, told, absent):
        nobody = clip_of(layout, **{"metres": absent, "pixels": absent, **elsewhere})
        store = People(clip_of(layout, num_persons=0), nobody, nobody)
        told = "^" + told.replace("+", r"\+").replace(" .* ", " must have people to look at, but got clips ")
        with pytest.raises(InputError, match=f"{told}.*: prepare clips with their skeletons, or choose "):
            require_people(recognizer, clips, store, contents(layout))
