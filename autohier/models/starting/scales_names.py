"""Names of MS-G3D in checkpoints of its authors, of PYSKL and of MMAction2.

They concatenate the channels of all distances, distance by distance; here one filter spans the distances.
PYSKL and MMAction2 store the graph, which they normalize differently, so it is passed on as ``partitions``
for `MsG3d.stored_tensors`. The authors' files have only the learned offsets of the graph.

Legend: C channels read, F filters, P distances, S frames of a window, V joints gathered from, W joints
gathered to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, takewhile
from typing import Final

from torch import Tensor

from autohier.models.starting.joined_tensors import (
    Joined,
    conv_and_norm,
    rename_joined,
    renamed_module,
    temporal_branches,
    without_backbone,
)

_STAGES: Final = range(3)
_NUM_BRANCHES: Final = 6
_VOLUME_AXES: Final = 5
_GRAPH_AXES: Final = 3
_AUTHORS_OFFSET: Final = "A_res"
_OFFSET: Final = "PA"


def is_ms_g3d_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of the authors' MS-G3D."""
    return f"sgcn1.0.{_AUTHORS_OFFSET}" in names


def is_pyskl_ms_g3d_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of PYSKL's or MMAction2's MS-G3D."""
    return any(re.fullmatch(rf"(backbone\.)?sgcn1\.0\.{_OFFSET}", name) for name in names)


def rename_ms_g3d(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of MS-G3D by the names and in the shapes of `MsG3d`.

    Names without a counterpart stay as they are.
    """
    bare = without_backbone(state)
    return rename_joined(bare, [each for stage in _STAGES for each in _stage(stage, bare)])


def _stage(index: int, state: Mapping[str, Tensor]) -> Iterator[Joined]:
    ours, number = f"stages.{index}", index + 1
    yield from _scales(f"{ours}.factorised.0", f"sgcn{number}.0")
    yield from _temporal(f"{ours}.factorised.1", f"sgcn{number}.1")
    yield from _temporal(f"{ours}.factorised.2", f"sgcn{number}.2")
    yield from _temporal(f"{ours}.temporal", f"tcn{number}")
    windows = (f"gcn3d{number}.gcn3d.{window}" for window in count())
    for window, theirs in enumerate(takewhile(lambda each: f"{each}.out_conv.weight" in state, windows)):
        path = f"{ours}.windows.{window}"
        yield from _scales(f"{path}.scales", f"{theirs}.gcn3d.1")
        yield Joined(f"{path}.collapse.conv.weight", (f"{theirs}.out_conv.weight",), _flat_kernel)
        yield Joined(f"{path}.collapse.conv.bias", (f"{theirs}.out_conv.bias",))
        yield from renamed_module(f"{path}.collapse.bn", f"{theirs}.out_bn")


def _scales(ours: str, theirs: str) -> Iterator[Joined]:
    filters = f"{theirs}.mlp.layers.0.weight"
    graph, offset, authors_offset = (f"{theirs}.{name}" for name in ("A", _OFFSET, _AUTHORS_OFFSET))
    # An offset of a graph that the file lacks means nothing.
    yield Joined(f"{ours}.offset", (offset, graph))
    yield Joined(f"{ours}.partitions", (graph, offset))
    yield Joined(f"{ours}.offset", (authors_offset,), _by_distance)
    yield Joined(f"{ours}.conv.weight", (filters, offset), _split_filters)
    yield Joined(f"{ours}.conv.weight", (filters, authors_offset), _split_filters)
    yield Joined(f"{ours}.conv.bias", (f"{theirs}.mlp.layers.0.bias",), _column)
    yield from renamed_module(f"{ours}.bn", f"{theirs}.mlp.layers.1")


def _temporal(ours: str, theirs: str) -> Iterator[Joined]:
    yield from temporal_branches(ours, theirs, _NUM_BRANCHES)
    yield from conv_and_norm(f"{ours}.shortcut", f"{theirs}.residual.conv", f"{theirs}.residual.bn")


def _num_distances(graph: Tensor) -> int:
    """Return P of a graph [P, V, W] or [P W, V]; 0 for other shapes."""
    if graph.ndim == _GRAPH_AXES:
        return len(graph)
    if graph.ndim == 2 and graph.shape[1] and len(graph) % graph.shape[1] == 0:
        return len(graph) // graph.shape[1]
    return 0


def _by_distance(parts: Sequence[Tensor]) -> Tensor | None:
    """Map [P W, V] to [P, V, W]; None for other shapes."""
    (offset,) = parts
    num_distances = _num_distances(offset) if offset.ndim == 2 else 0
    if not num_distances:
        return None
    num_joints = offset.shape[1]
    return offset.reshape(num_distances, num_joints, num_joints).transpose(1, 2).contiguous()


def _split_filters(parts: Sequence[Tensor]) -> Tensor | None:
    """Map filters [F, P C, 1, 1] to [F, C, P, 1]; None for other shapes."""
    filters, graph = parts
    num_distances = _num_distances(graph)
    if filters.shape[2:] != (1, 1) or not num_distances or filters.shape[1] % num_distances:
        return None
    num_written, num_read = len(filters), filters.shape[1] // num_distances
    by_distance_FPC = filters.reshape(num_written, num_distances, num_read)
    return by_distance_FPC.transpose(1, 2).unsqueeze(3).contiguous()


def _flat_kernel(parts: Sequence[Tensor]) -> Tensor | None:
    """Map [F, C, 1, S, 1] to [F, C, S, 1]; None for other shapes."""
    (kernel,) = parts
    return kernel.squeeze(2) if kernel.ndim == _VOLUME_AXES else None


def _column(parts: Sequence[Tensor]) -> Tensor | None:
    """Map [F] to [F, 1]; None for other shapes."""
    return parts[0][:, None] if parts[0].ndim == 1 else None
