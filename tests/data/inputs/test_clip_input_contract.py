"""Contract of every clip input, on prepared and on synthetic clips; a new clip input is one line in CASES.

Legend: B clips, M persons, T frames, V joints.
"""

import math
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from autohier.data.datasets.registry import open_dataset
from autohier.data.inputs.base import ClipInput
from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.frames_heatmaps import FramesHeatmapsInput
from autohier.data.inputs.frames_skeletons import FramesSkeletonsInput
from autohier.data.inputs.heatmaps import HeatmapInput
from autohier.data.inputs.loader import ClipLoader
from autohier.data.inputs.named import ClipBatch, map_clips, stack_clips, tensors_of
from autohier.data.inputs.parts_skeletons import PartsSkeletonsInput
from autohier.data.inputs.shapes import ClipArrays, shapes_of, stack_arrays
from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.inputs.synthetic import SyntheticClips
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import COCO_17, KINECT_V2_25, Skeleton
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.skeletons import Stream
from autohier.data.transforms.tensors.clip_random import ClipRandom
from support.sources.tiny_pyskl import annotation, write_pyskl

NAN = math.nan
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


def same(one: ClipBatch, other: ClipBatch) -> bool:
    """Return True if two batches are equal, name by name."""
    assert isinstance(one, dict) == isinstance(other, dict)
    pairs = zip(tensors_of(one), tensors_of(other), strict=True)
    return all(torch.allclose(mine, yours, rtol=0, atol=0, equal_nan=True) for mine, yours in pairs)


def copy_of(one: ClipBatch) -> ClipBatch:
    """Return a copy of a batch."""
    return map_clips(torch.clone, one)


def content(clip: ClipArrays) -> bytes:
    """Return the bytes of all arrays of a clip."""
    return b"".join(each.tobytes() for each in (clip.values() if isinstance(clip, dict) else (clip,)))


def assert_close(arrays: ClipArrays, tensors: ClipBatch) -> None:
    """Fail unless arrays, by name, are float32 and equal tensors but for rounding."""
    named = arrays if isinstance(arrays, dict) else {"": arrays}
    expected = tensors if isinstance(tensors, dict) else {"": tensors}
    assert list(named) == list(expected)
    for name, array in named.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected[name].numpy(), rtol=1e-4, atol=1e-5)


@dataclass(frozen=True)
class Case:
    """A clip input over a store; ``varied`` if its clips differ from each other."""

    clip_input: ClipInput
    labels: list[int]
    varied: bool

    def train_batch(self, *seeds) -> ClipBatch:
        """Read a training batch of clip 1, once per seed."""
        seeds = seeds or (0, 1, 2)
        return stack_clips([self.clip_input.read_train(1, np.random.default_rng(seed)) for seed in seeds])


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


@pytest.fixture(params=["prepared", "synthetic"])
def clips(request, tiny_clips, pose_clips):
    """A store and its classes, by joint layout."""
    if request.param == "prepared":
        return {KINECT_V2_25: (tiny_clips, [0, 1, 2, 3, 4, 5] * 24), COCO_17: (pose_clips, [0, 1, 2] * 2)}
    synthetic = {
        layout: SyntheticClips.generate(7, num_classes=3, size_px=16, channels=3, layout=layout)
        for layout in (KINECT_V2_25, COCO_17)
    }
    return {layout: (store, [0, 1, 2, 0, 1, 2, 0]) for layout, store in synthetic.items()}


@pytest.fixture(params=CASES)
def case(request, clips):
    make, layout = CASES[request.param]
    store, labels = clips[layout]
    return Case(make(store, layout), labels, varied=isinstance(store, ClipStore))


def augmented(case, batch, seed=0):
    return case.clip_input.transform_train(batch, ClipRandom.seeded(seed, len(tensors_of(batch)[0])))


def test_labels_are_those_of_the_store(case):
    assert case.clip_input.labels.dtype == np.int64
    assert case.clip_input.labels.tolist() == case.labels


def test_transforms_give_floats_of_the_clip_shape(case):
    batch = case.train_batch()
    for read in (augmented(case, batch), case.clip_input.transform_eval(batch)):
        shape = case.clip_input.clip_shape
        assert isinstance(read, dict) == isinstance(shape, dict)
        assert not isinstance(read, dict) or read.keys() == shape.keys()
        for tensor, expected in zip(tensors_of(read), shapes_of(shape), strict=True):
            assert tensor.shape == (3, *expected)
            assert tensor.dtype == torch.float32
            assert tensor.isfinite().all()
            assert tensor.any()


def test_a_training_clip_depends_only_on_the_generator(case):
    # Synthetic clips share one frame.
    is_constant = isinstance(case.clip_input, FrameInput) and not case.varied
    batches = [case.train_batch(seed) for seed in range(12)]
    again = [case.train_batch(seed) for seed in reversed(range(12))][::-1]
    assert all(same(one, other) for one, other in zip(batches, again, strict=True))
    assert is_constant or any(not same(batches[0], other) for other in batches[1:])


def test_all_clips_have_one_shape_and_type(case):
    rows = range(len(case.labels))[:7]
    read = [case.clip_input.read_train(row, np.random.default_rng(row)) for row in rows]
    read += [case.clip_input.read_eval(row, 1, 3) for row in rows]
    named = [clip if isinstance(clip, dict) else {"": clip} for clip in read]
    assert len({tuple((name, each.shape, each.dtype) for name, each in clip.items()) for clip in named}) == 1


def test_an_evaluation_clip_depends_only_on_row_and_set(case):
    def read():
        return [content(case.clip_input.read_eval(row, index, 3)) for row in (0, 1) for index in range(3)]

    before = read()
    case.clip_input.read_train(0, np.random.default_rng(9))
    assert read() == before
    assert len(set(before)) > 3 or not case.varied


def test_augmentation_depends_only_on_the_generator(case):
    batch = case.train_batch()
    untouched, state = copy_of(batch), torch.get_rng_state()
    first = augmented(case, batch)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert same(augmented(case, batch), first)
    assert same(batch, untouched)
    assert not same(augmented(case, batch, seed=1), first)


def test_augmentation_of_a_clip_does_not_depend_on_the_clips_that_are_read(case):
    batch = case.train_batch(0, 1, 2, 3)
    whole = augmented(case, batch)
    for positions in ([0, 1], [3], [1, 3]):
        own = torch.tensor(positions)
        random = ClipRandom(torch.Generator().manual_seed(0), 4, own)
        read = case.clip_input.transform_train(map_clips(lambda each, own=own: each[own], batch), random)
        assert same(read, map_clips(lambda each, own=own: each[own], whole))


def test_augmentation_advances_the_generator(case):
    batch, random = case.train_batch(0, 0), ClipRandom.seeded(0, 2)
    first, second = (case.clip_input.transform_train(batch, random) for _ in range(2))
    assert not same(first, second)
    # The clips of a batch are augmented independently.
    assert any(not torch.equal(each[0], each[1]) for each in tensors_of(first))


def without_augmentation(clip_input):
    """Return a clip input that crops nothing and changes a training clip only by mirroring it."""
    names = {"crop_px": 16, "min_scale": 1.0, "min_area": 1.0}
    names |= {"rotation_degrees": 0.0, "scaling": 0.0, "joint_drop": 0.0}
    fields = {name: value for name, value in names.items() if hasattr(clip_input, name)}
    for name in ("frames", "skeletons"):
        if is_dataclass(part := getattr(clip_input, name, None)):
            fields[name] = without_augmentation(part)
    return replace(clip_input, **fields)


def test_a_clip_mirrored_in_evaluation_is_one_that_training_mirrors_alone(case):
    # Without crops and other augmentation, training yields the clip and its mirror image, and nothing else.
    clip_input = without_augmentation(case.clip_input)
    batch = stack_clips([clip_input.read_eval(1, 0, 2)] * 12)
    before = copy_of(batch)
    plain, mirrored = (clip_input.transform_eval(batch, mirrored=each) for each in (False, True))
    trained = clip_input.transform_train(batch, ClipRandom.seeded(0, 12))

    def equals(other):
        """Return for each clip whether all of its parts are those of the other one."""
        pairs = list(zip(tensors_of(trained), tensors_of(other), strict=True))
        return [
            all(torch.allclose(one[clip], two[clip], atol=1e-4) for one, two in pairs) for clip in range(12)
        ]

    as_read, opposite = equals(plain), equals(mirrored)
    assert all(one or other for one, other in zip(as_read, opposite, strict=True))
    assert any(opposite)
    assert same(batch, before)


def test_the_evaluation_transform_is_deterministic(case):
    batch = stack_clips([case.clip_input.read_eval(row, 0, 2) for row in (0, 1)])
    untouched, state = copy_of(batch), torch.get_rng_state()
    first = case.clip_input.transform_eval(batch)
    assert same(case.clip_input.transform_eval(batch), first)
    assert same(batch, untouched)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("mirrored", [False, True])
def test_arrays_of_evaluation_equal_the_tensors(case, mirrored):
    clips = [case.clip_input.read_eval(row, 0, 2) for row in (0, 1, 2)]
    tensors = case.clip_input.transform_eval(stack_clips(clips), mirrored=mirrored)
    batch = stack_arrays(clips)
    untouched = content(batch)
    assert_close(case.clip_input.eval_arrays(batch, mirrored=mirrored), tensors)
    assert content(batch) == untouched


def test_batches_do_not_depend_on_the_number_of_threads(case):
    def read(num_threads):
        rows, cpu = np.arange(len(case.labels))[:7], torch.device("cpu")
        batches = ClipLoader(case.clip_input, rows, batch_size=3, device=cpu, num_threads=num_threads)
        return [*batches.training_epoch(4), *batches.evaluation_set(1, 3)]

    for one, other in zip(read(1), read(3), strict=True):
        assert same(one.clips, other.clips)
        assert torch.equal(one.labels_B, other.labels_B)


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
    """Return people with this value for all coordinates of some joints."""
    skeleton = some_people(layout, num_persons=num_persons, size_px=size_px)
    for values in (skeleton.joints_MTV3_m, skeleton.pixels_MTV2):
        values[where] = value
    return skeleton


EDGE_CASES = {
    "no person": lambda layout: some_people(layout, num_persons=0),
    "no frames": lambda layout: some_people(layout, num_frames=0),
    "neither": lambda layout: some_people(layout, num_persons=0, num_frames=0),
    "all absent": lambda layout: with_absent(NAN, ..., layout=layout),
    "all absent, no image": lambda layout: with_absent(NAN, ..., layout=layout, size_px=(0, 0)),
    "zeros": lambda layout: with_absent(0, ..., layout=layout),
    "the first person appears late": lambda layout: with_absent(NAN, 0, slice(3), layout=layout),
    "joints absent": lambda layout: with_absent(NAN, ..., slice(0, 9, 3), slice(None), layout=layout),
    "one joint present": lambda layout: with_absent(NAN, ..., slice(1, None), slice(None), layout=layout),
    "a person of zeros": lambda layout: with_absent(0, 1, layout=layout),
    "all joints at one position": lambda layout: with_absent(1, ..., layout=layout),
    "one person": some_people,
    "one frame": lambda layout: some_people(layout, num_frames=1),
    "four persons": lambda layout: some_people(layout, num_persons=4),
}
EMPTY = {"no person", "no frames", "neither", "all absent", "all absent, no image", "zeros"}
NOT_EMPTY = {"joints absent", "a person of zeros", "one person", "four persons"}
WITHOUT_SECOND_PERSON = EMPTY | {"a person of zeros", "one person", "one frame"}


class EdgeCaseClips:
    """One clip for each of EDGE_CASES."""

    def __init__(self, layout):
        self.clips = SimpleNamespace(label=np.arange(len(EDGE_CASES)))
        self._skeletons = [make(layout) for make in EDGE_CASES.values()]

    def skeleton(self, row):
        return self._skeletons[row]


@pytest.mark.parametrize("name", SKELETON_CASES)
@pytest.mark.filterwarnings("error")
def test_edge_cases_give_finite_inputs(name):
    make, layout = CASES[name]
    clip_input, rows = make(EdgeCaseClips(layout), layout), range(len(EDGE_CASES))
    train = np.stack([clip_input.read_train(row, np.random.default_rng(row)) for row in rows])
    evaluation = np.stack([clip_input.read_eval(row, 1, 3) for row in rows])
    random = ClipRandom.seeded(0, len(rows))
    for clips in (train, evaluation):
        for mirrored in (False, True):
            tensors = clip_input.transform_eval(torch.from_numpy(clips), mirrored=mirrored)
            arrays = clip_input.eval_arrays(clips, mirrored=mirrored)
            np.testing.assert_allclose(arrays, tensors.numpy(), rtol=1e-4, atol=1e-5)
    for read in (
        *(clip_input.transform_eval(torch.from_numpy(clips)) for clips in (train, evaluation)),
        *(clip_input.transform_train(torch.from_numpy(clips), random) for clips in (train, evaluation)),
    ):
        assert read.shape == (len(EDGE_CASES), *clip_input.clip_shape)
        for kind, clip in zip(EDGE_CASES, read, strict=True):
            assert clip.isfinite().all(), kind
            assert kind not in EMPTY or not clip.any(), kind
            assert kind not in NOT_EMPTY or clip.any(), kind
            if isinstance(clip_input, SkeletonInput) and kind in WITHOUT_SECOND_PERSON:
                assert not clip[1:].any(), kind


@pytest.mark.parametrize("name", SKELETON_CASES)
def test_only_the_first_persons_are_read(name):
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
    clip_input = make(SimpleNamespace(clips=clips, skeleton=[four, two].__getitem__), layout)
    np.testing.assert_array_equal(clip_input.read_eval(0, 0, 1), clip_input.read_eval(1, 0, 1))


@pytest.mark.parametrize("name", SKELETON_CASES)
def test_training_drops_joints_of_frames_and_evaluation_does_not(name):
    make, layout = CASES[name]
    plain = make(EdgeCaseClips(layout), layout)
    row = list(EDGE_CASES).index("one person")
    never, always = (replace(plain, frame_joint_drop=probability) for probability in (0.0, 1.0))
    read, same, dropped = (each.read_train(row, np.random.default_rng(4)) for each in (plain, never, always))
    np.testing.assert_array_equal(same, read)
    np.testing.assert_array_equal(plain.read_eval(row, 0, 2), always.read_eval(row, 0, 2))
    differs_TV = (np.nan_to_num(read) != np.nan_to_num(dropped)).any(axis=(0, 3))
    if name.startswith(("joint of", "heatmaps")):
        assert differs_TV.sum(axis=1).tolist() == [1] * 3  # the same frames, each without one joint
    else:
        assert differs_TV.any(axis=1).all()
