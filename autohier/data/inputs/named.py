"""Batches and shapes of clips: one tensor, or tensors by name for a recognizer that reads several inputs.

Legend: B clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ClipBatch = Tensor | dict[str, Tensor]
"""Clips as a network reads them: ``[B, ...]``, or one such tensor for each named input."""
ClipShape = tuple[int, ...] | Mapping[str, tuple[int, ...]]
"""Shape of one clip without the batch axis, or one for each named input."""
ClipArrays = NDArray[Any] | dict[str, NDArray[Any]]
"""One clip as a clip input reads it: an array, or one for each named input."""


def map_clips(function: Callable[[Tensor], Tensor], clips: ClipBatch) -> ClipBatch:
    """Apply a function to the tensor, or to the tensor of every name."""
    if isinstance(clips, dict):
        return {name: function(tensor) for name, tensor in clips.items()}
    return function(clips)


def tensors_of(clips: ClipBatch) -> tuple[Tensor, ...]:
    """Return the tensors of a batch, in the order of the names."""
    return tuple(clips.values()) if isinstance(clips, dict) else (clips,)


def rows_of(clips: ClipBatch, rows: slice) -> ClipBatch:
    """Return some clips of a batch."""
    return map_clips(lambda tensor: tensor[rows], clips)


def split_clips(clips: ClipBatch, number: int) -> list[ClipBatch]:
    """Split a batch into parts of equal size, the last possibly smaller; at most one part per clip."""
    if not isinstance(clips, dict):
        return list(clips.chunk(number))
    parts = zip(*(tensor.chunk(number) for tensor in clips.values()), strict=True)
    return [dict(zip(clips, part, strict=True)) for part in parts]


def stack_clips(read: Sequence[ClipArrays]) -> ClipBatch:
    """Stack clips, all with the same names, to a batch."""
    first = read[0]
    if isinstance(first, dict):
        return {name: _stacked(each[name] for each in read if isinstance(each, dict)) for name in first}
    return _stacked(each for each in read if not isinstance(each, dict))


def _stacked(arrays: Iterable[NDArray[Any]]) -> Tensor:
    return torch.from_numpy(np.stack(list(arrays)))


def new_clips(function: Callable[[tuple[int, ...]], Tensor], shape: ClipShape, number: int = 1) -> ClipBatch:
    """Return a batch of a number of clips, each tensor of which the function makes from its shape."""
    if isinstance(shape, Mapping):
        return {name: function((number, *each)) for name, each in shape.items()}
    return function((number, *shape))


def shapes_of(shape: ClipShape) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a clip's tensors, in the order of the names."""
    return tuple(shape.values()) if isinstance(shape, Mapping) else (shape,)


def num_values(shape: ClipShape) -> int:
    """Return the number of values of one clip."""
    return sum(math.prod(each) for each in shapes_of(shape))
