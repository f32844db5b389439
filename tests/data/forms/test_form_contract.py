"""What every form of clips must hold to, over prepared clips and made-up ones; a new one is a line in FORMS.

Legend: B clips, M persons, T frames, V joints.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from autohier.data.batches import ClipBatches
from autohier.data.datasets.registry import open_dataset
from autohier.data.forms.form import ClipForm
from autohier.data.forms.frames import FrameForm
from autohier.data.forms.heatmaps import HeatmapForm
from autohier.data.forms.skeletons import SkeletonForm
from autohier.data.made_up import MadeUpClips
from autohier.data.preparation import prepare_dataset
from autohier.data.preprocessing.skeletons import Stream
from autohier.data.skeleton import COCO_17, KINECT_V2_25, Skeleton
from autohier.data.store.reader import ClipStore
from tiny_pyskl import annotation, write_pyskl

NAN = math.nan
NUM_PERSONS = 2


def frames(store, layout):  # noqa: ARG001
    return FrameForm(store, 3, num_frames=3, resize_px=16, crop_px=12, min_scale=0.5, flip=True)


def skeletons(stream):
    def make(store, layout):
        augmentation = {"rotation_degrees": 20.0, "scaling": 0.1, "joint_drop": 0.2, "flip": True}
        return SkeletonForm(store, layout, stream, num_frames=3, num_persons=NUM_PERSONS, **augmentation)

    return make


def heatmaps(maps):
    def make(store, layout):
        sizes = {"num_frames": 3, "num_persons": NUM_PERSONS, "size_px": 16}
        return HeatmapForm(store, layout, maps, **sizes, min_area=0.5, flip=True)

    return make


SEEN = {f"{stream} of skeletons": skeletons(stream) for stream in get_args(Stream)}
SEEN |= {f"heatmaps of {maps}": heatmaps(maps) for maps in ("joints", "limbs")}
CASES = {
    "frames": (frames, KINECT_V2_25),
    **{f"{name} in space": (make, KINECT_V2_25) for name, make in SEEN.items()},
    **{f"{name} in images": (make, COCO_17) for name, make in SEEN.items()},
}


@dataclass(frozen=True)
class Case:
    """A form over clips, every one of which is unlike the others where ``varied``."""

    form: ClipForm
    labels: list[int]
    varied: bool

    def drawn(self, *seeds):
        """A batch of clip 1, one for each seed."""
        return torch.from_numpy(
            np.stack([self.form.draw(1, np.random.default_rng(seed)) for seed in seeds or (0, 1, 2)])
        )


@pytest.fixture(scope="module")
def pose_clips(tmp_path_factory) -> ClipStore:
    """Six clips of poses in images."""
    folder: Path = tmp_path_factory.mktemp("poses")
    ids = [f"clip{number}" for number in range(6)]
    entries = [annotation(each, number % 3, num_frames=4 + number) for number, each in enumerate(ids)]
    path = write_pyskl(folder / "poses.pkl", entries, {"xsub_train": ids[:4], "xsub_val": ids[4:]})
    reader = open_dataset("pyskl", source=path)
    prepare_dataset(reader, path, folder / "store", num_workers=1)
    return ClipStore.open(folder / "store")


@pytest.fixture(params=["prepared", "made up"])
def clips(request, tiny_clips, pose_clips):
    """By the layout of their joints: a store and its classes."""
    if request.param == "prepared":
        return {KINECT_V2_25: (tiny_clips, [0, 1, 2, 3, 4, 5] * 24), COCO_17: (pose_clips, [0, 1, 2] * 2)}
    made_up = {
        layout: MadeUpClips.of(7, num_classes=3, size_px=16, channels=3, joint_layout=layout.name)
        for layout in (KINECT_V2_25, COCO_17)
    }
    return {layout: (store, [0, 1, 2, 0, 1, 2, 0]) for layout, store in made_up.items()}


@pytest.fixture(params=CASES)
def case(request, clips):
    make, layout = CASES[request.param]
    store, labels = clips[layout]
    return Case(make(store, layout), labels, varied=isinstance(store, ClipStore))


def augmented(case, batch, seed=0):
    return case.form.augment(batch, torch.Generator().manual_seed(seed))


def test_classes_are_those_of_the_clips(case):
    assert case.form.labels.dtype == np.int64
    assert case.form.labels.tolist() == case.labels


def test_a_network_reads_floats_of_the_clip_shape(case):
    batch = case.drawn()
    for read in (augmented(case, batch), case.form.present(batch)):
        assert read.shape == (3, *case.form.clip_shape)
        assert read.dtype == torch.float32
        assert read.isfinite().all()
        assert read.any()


def test_what_is_drawn_follows_from_the_generator_alone(case):
    # The pictures of made-up clips are all one.
    is_one = isinstance(case.form, FrameForm) and not case.varied
    drawn = [case.drawn(seed) for seed in range(12)]
    again = [case.drawn(seed) for seed in reversed(range(12))][::-1]
    assert all(torch.equal(one, other) for one, other in zip(drawn, again, strict=True))
    assert is_one or len({each.numpy().tobytes() for each in drawn}) > 1


def test_one_draw_is_like_another_in_shape_and_type(case):
    rows = range(len(case.labels))[:7]
    arrays = [case.form.draw(row, np.random.default_rng(row)) for row in rows]
    arrays += [case.form.take(row, 1, 3) for row in rows]
    assert len({(each.shape, each.dtype) for each in arrays}) == 1


def test_what_is_taken_follows_from_clip_and_set(case):
    def taken():
        return [case.form.take(row, index, 3) for row in (0, 1) for index in range(3)]

    before = taken()
    case.form.draw(0, np.random.default_rng(9))
    for one, other in zip(before, taken(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({each.tobytes() for each in before}) > 3 or not case.varied


def test_augmentation_follows_from_the_generator_alone(case):
    batch = case.drawn()
    untouched, state = batch.clone(), torch.get_rng_state()
    first = augmented(case, batch)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(augmented(case, batch), first)
    assert torch.equal(batch, untouched)
    assert not torch.equal(augmented(case, batch, seed=1), first)


def test_augmentation_goes_on_where_the_generator_stands(case):
    batch, generator = case.drawn(0).expand(2, -1, -1, -1, -1), torch.Generator().manual_seed(0)
    first, second = (case.form.augment(batch, generator) for _ in range(2))
    assert not torch.equal(first, second)
    # And the clips of a batch are changed apart.
    assert not torch.equal(first[0], first[1])


def test_nothing_of_an_evaluation_set_is_left_to_chance(case):
    batch = torch.from_numpy(np.stack([case.form.take(row, 0, 2) for row in (0, 1)]))
    untouched, state = batch.clone(), torch.get_rng_state()
    first = case.form.present(batch)
    assert torch.equal(case.form.present(batch), first)
    assert torch.equal(batch, untouched)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_change_nothing(case):
    def read(num_threads):
        rows, cpu = np.arange(len(case.labels))[:7], torch.device("cpu")
        batches = ClipBatches(case.form, rows, batch_size=3, device=cpu, num_threads=num_threads)
        both = [*batches.training_epoch(4), *batches.evaluation_set(1, 3)]
        return torch.cat([batch.clips for batch in both]), torch.cat([batch.labels_B for batch in both])

    for one, other in zip(read(1), read(3), strict=True):
        assert torch.equal(one, other)


def some_people(layout, *, num_persons=1, num_frames=5, size_px=(640, 480)):
    random = np.random.default_rng([num_persons, num_frames])
    shape_MTV = (num_persons, num_frames, layout.num_joints)
    joints_MTV3 = random.normal((0, 0, 3), 0.5, (*shape_MTV, 3)).astype(np.float32)
    return Skeleton(
        joints_MTV3_m=np.full_like(joints_MTV3, NAN) if layout.planar else joints_MTV3,
        pixels_MTV2=random.uniform(50, 400, (*shape_MTV, 2)).astype(np.float32),
        image_width_px=size_px[0],
        image_height_px=size_px[1],
        layout=layout.name,
        scores_MTV=random.random(shape_MTV, dtype=np.float32) if layout.planar else None,
    )


def with_absent(value, *where, layout, num_persons=2, size_px=(640, 480)):
    """Some people with this value for all that is known of some joints."""
    skeleton = some_people(layout, num_persons=num_persons, size_px=size_px)
    for values in (skeleton.joints_MTV3_m, skeleton.pixels_MTV2):
        values[where] = value
    return skeleton


ODD = {
    "nobody": lambda layout: some_people(layout, num_persons=0),
    "no frames": lambda layout: some_people(layout, num_frames=0),
    "neither": lambda layout: some_people(layout, num_persons=0, num_frames=0),
    "nothing seen": lambda layout: with_absent(NAN, ..., layout=layout),
    "nothing seen, of no image": lambda layout: with_absent(NAN, ..., layout=layout, size_px=(0, 0)),
    "zeros": lambda layout: with_absent(0, ..., layout=layout),
    "the first person seen late": lambda layout: with_absent(NAN, 0, slice(3), layout=layout),
    "joints absent": lambda layout: with_absent(NAN, ..., slice(0, 9, 3), slice(None), layout=layout),
    "one joint seen": lambda layout: with_absent(NAN, ..., slice(1, None), slice(None), layout=layout),
    "a person of zeros": lambda layout: with_absent(0, 1, layout=layout),
    "all joints in one place": lambda layout: with_absent(1, ..., layout=layout),
    "one person": some_people,
    "one frame": lambda layout: some_people(layout, num_frames=1),
    "four persons": lambda layout: some_people(layout, num_persons=4),
}
NOT_THERE = {"nobody", "no frames", "neither", "nothing seen", "nothing seen, of no image", "zeros"}
IN_PLAIN_SIGHT = {"joints absent", "a person of zeros", "one person", "four persons"}
ALONE = NOT_THERE | {"a person of zeros", "one person", "one frame"}


class OddClips:
    """A clip of each kind of ODD."""

    def __init__(self, layout):
        self.clips = SimpleNamespace(label=np.arange(len(ODD)))
        self._skeletons = [make(layout) for make in ODD.values()]

    def skeleton(self, row):
        return self._skeletons[row]


@pytest.mark.parametrize("name", [name for name in CASES if name != "frames"])
@pytest.mark.filterwarnings("error")
def test_odd_clips_are_read_without_a_nan(name):
    make, layout = CASES[name]
    form = make(OddClips(layout), layout)
    drawn = np.stack([form.draw(row, np.random.default_rng(row)) for row in range(len(ODD))])
    taken = np.stack([form.take(row, 1, 3) for row in range(len(ODD))])
    generator = torch.Generator().manual_seed(0)
    for read in (
        *(form.present(torch.from_numpy(clips)) for clips in (drawn, taken)),
        *(form.augment(torch.from_numpy(clips), generator) for clips in (drawn, taken)),
    ):
        assert read.shape == (len(ODD), *form.clip_shape)
        for kind, clip in zip(ODD, read, strict=True):
            assert clip.isfinite().all(), kind
            assert kind not in NOT_THERE or not clip.any(), kind
            assert kind not in IN_PLAIN_SIGHT or clip.any(), kind
            if isinstance(form, SkeletonForm) and kind in ALONE:
                assert not clip[1:].any(), kind


@pytest.mark.parametrize("name", [name for name in CASES if name != "frames"])
def test_only_so_many_persons_are_read(name):
    make, layout = CASES[name]
    four = some_people(layout, num_persons=4)
    two = Skeleton(
        four.joints_MTV3_m[:2],
        four.pixels_MTV2[:2],
        four.image_width_px,
        four.image_height_px,
        layout.name,
        four.scores_MTV if four.scores_MTV is None else four.scores_MTV[:2],
    )
    clips = SimpleNamespace(label=np.zeros(2, dtype=np.int64))
    form = make(SimpleNamespace(clips=clips, skeleton=[four, two].__getitem__), layout)
    np.testing.assert_array_equal(form.take(0, 0, 1), form.take(1, 0, 1))
