"""Batches of clips: one tensor, or tensors by name for a recognizer that reads several inputs.

Legend: B clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from autohier.data.inputs.shapes import ClipArrays, ClipShape, stack_arrays

ClipBatch = Tensor | dict[str, Tensor]
"""Clips as a network reads them: ``[B, ...]``, or one such tensor for each named input."""


def map_clips(function: Callable[[Tensor], Tensor], clips: ClipBatch) -> ClipBatch:
    """Apply a function to a tensor, or to each tensor of a dict of named inputs."""
    if isinstance(clips, dict):
        return {name: function(tensor) for name, tensor in clips.items()}
    return function(clips)


def tensors_of(clips: ClipBatch) -> tuple[Tensor, ...]:
    """Return the tensors of a batch, in the order of its named inputs."""
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
    stacked = stack_arrays(read)
    if isinstance(stacked, dict):
        return {name: torch.from_numpy(array) for name, array in stacked.items()}
    return torch.from_numpy(stacked)


def new_clips(function: Callable[[tuple[int, ...]], Tensor], shape: ClipShape, number: int = 1) -> ClipBatch:
    """Return a batch of a number of clips, each tensor of which the function makes from its shape."""
    if isinstance(shape, Mapping):
        return {name: function((number, *each)) for name, each in shape.items()}
    return function((number, *shape))
