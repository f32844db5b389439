"""Contract of every clip input, on prepared and on synthetic clips; a new clip input is one line in CASES.

Legend: B clips, M persons, T frames, V joints.
"""

import math
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autohier.data.datasets.registry import open_dataset
from autohier.data.inputs.base import ClipInput
from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.loader import ClipLoader
from autohier.data.inputs.named import ClipBatch, map_clips, stack_clips, tensors_of
from autohier.data.inputs.shapes import ClipArrays, shapes_of, stack_arrays
from autohier.data.inputs.synthetic import SyntheticClips
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import COCO_17, KINECT_V2_25
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.tensors.clip_random import ClipRandom
from support.clip_input_cases import CASES
from support.sources.tiny_pyskl import annotation, write_pyskl

NAN = math.nan


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
