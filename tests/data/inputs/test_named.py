"""Batches of clips: one tensor, or tensors by name."""

import numpy as np
import torch

from autohier.data.inputs.named import map_clips, new_clips, rows_of, split_clips, stack_clips, tensors_of
from autohier.data.inputs.shapes import num_values, shapes_of

BATCH = {"a": torch.arange(10).view(5, 2), "b": torch.arange(5)}


def test_rows_and_parts_are_those_of_every_tensor():
    rows = rows_of(BATCH, slice(1, 3))
    assert {name: tensor.tolist() for name, tensor in rows.items()} == {"a": [[2, 3], [4, 5]], "b": [1, 2]}
    parts = split_clips(BATCH, 2)
    assert [part["b"].tolist() for part in parts] == [[0, 1, 2], [3, 4]]
    assert [part["a"][:, 0].tolist() for part in parts] == [[0, 2, 4], [6, 8]]
    assert [part.tolist() for part in split_clips(BATCH["b"], 2)] == [[0, 1, 2], [3, 4]]
    assert rows_of(BATCH["b"], slice(2)).tolist() == [0, 1]


def test_clips_are_stacked_by_name():
    stacked = stack_clips([{"a": np.ones(2), "b": np.zeros((1, 3))}] * 4)
    assert {name: tuple(tensor.shape) for name, tensor in stacked.items()} == {"a": (4, 2), "b": (4, 1, 3)}
    assert stack_clips([np.array([1, 2])] * 3).tolist() == [[1, 2]] * 3


def test_shapes_count_all_inputs():
    shape = {"a": (2, 3), "b": (4,)}
    assert (num_values(shape), num_values((2, 3)), shapes_of(shape)) == (10, 6, ((2, 3), (4,)))
    made = new_clips(torch.zeros, shape, 5)
    assert {name: tuple(tensor.shape) for name, tensor in made.items()} == {"a": (5, 2, 3), "b": (5, 4)}
    assert new_clips(torch.ones, (2,)).tolist() == [[1, 1]]
    assert [tensor.sum().item() for tensor in tensors_of(map_clips(lambda x: x + 1, made))] == [30, 20]
