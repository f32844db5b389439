"""Names of CTR-GCN in checkpoints of its authors and of PYSKL, and of AAGCN also in those of MMAction2.

They compute the filters of each partition in a convolution of its own; here one filter spans the partitions.
The embeddings of all partitions are one linear layer here.

Legend: P partitions, V joints gathered from, W joints gathered to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from autohier.models.graphs.ctr_gcn import BRANCH_RELU
from autohier.models.starting.joined_tensors import (
    Joined,
    as_linear,
    by_partition,
    conv_and_norm,
    in_a_row,
    only,
    rename_joined,
    renamed_module,
    stacked,
    temporal_branches,
    without_backbone,
)

_BLOCKS: Final = range(10)
_PARTITIONS: Final = range(3)
_NUM_BRANCHES: Final = 4
_GRAPH_AXES: Final = 3


def is_ctr_gcn_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of the authors' CTR-GCN."""
    return "l1.gcn1.convs.0.conv1.weight" in names


def is_pyskl_ctr_gcn_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of PYSKL's CTR-GCN."""
    return any(re.fullmatch(r"(backbone\.)?net\.0\.gcn1\.convs\.0\.conv1\.weight", name) for name in names)


def is_aagcn_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of the authors' AAGCN."""
    return "l1.gcn1.conv_d.0.weight" in names


def is_pyskl_aagcn_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of PYSKL's or MMAction2's AAGCN."""
    return any(re.fullmatch(r"(backbone\.)?gcn\.0\.gcn\.conv_d\.0\.weight", name) for name in names)


def rename_ctr_gcn(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the authors' CTR-GCN by the names and in the shapes of `CtrGcn`.

    Names without a counterpart stay as they are.
    """
    table: list[Joined] = []
    for index in _BLOCKS:
        ours, theirs = f"blocks.{index}", f"l{index + 1}"
        table += _channelwise_unit(f"{ours}.spatial", f"{theirs}.gcn1")
        table += _temporal_unit(ours, theirs)
    return rename_joined(state, table) | {BRANCH_RELU: torch.tensor(False)}


def rename_pyskl_ctr_gcn(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of PYSKL's CTR-GCN; see `rename_ctr_gcn`.

    Its graph is applied in the other direction: conv1 embeds the joint that is gathered from, and conv2 the
    one that gathers. Their difference, and so the refinement by conv4, has the opposite sign.
    """
    table: list[Joined] = []
    for index in _BLOCKS:
        ours, theirs = f"blocks.{index}", f"net.{index}"
        table += _channelwise_unit(f"{ours}.spatial", f"{theirs}.gcn1", is_pyskl=True)
        table += _temporal_unit(ours, theirs)
    return rename_joined(without_backbone(state), table) | {BRANCH_RELU: torch.tensor(True)}


def rename_aagcn(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the authors' AAGCN by the names and in the shapes of `Aagcn`.

    Names without a counterpart stay as they are.
    """
    table: list[Joined] = []
    for index in _BLOCKS:
        table += _attention_block(index, f"l{index + 1}", "gcn1", "PA", "tcn1")
    return rename_joined(state, table)


def rename_pyskl_aagcn(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of PYSKL's or MMAction2's AAGCN; see `rename_aagcn`."""
    table: list[Joined] = []
    for index in _BLOCKS:
        table += _attention_block(index, f"gcn.{index}", "gcn", "A", "tcn")
    return rename_joined(without_backbone(state), table)


def _temporal_unit(ours: str, theirs: str) -> Iterator[Joined]:
    yield from temporal_branches(f"{ours}.temporal", f"{theirs}.tcn1", _NUM_BRANCHES)
    yield from conv_and_norm(f"{ours}.shortcut", f"{theirs}.residual.conv", f"{theirs}.residual.bn")


def _channelwise_unit(ours: str, theirs: str, *, is_pyskl: bool = False) -> Iterator[Joined]:
    def of_partitions(*convolutions: str, tensor: str = "weight") -> tuple[str, ...]:
        return tuple(f"{theirs}.convs.{p}.{each}.{tensor}" for each in convolutions for p in _PARTITIONS)

    # The authors hold the weights with which joint w gathers from joint v as [P, W, V], PYSKL as [P, V, W].
    graph = ("A", only) if is_pyskl else ("PA", _transposed)
    yield Joined(f"{ours}.partitions", (f"{theirs}.{graph[0]}",), graph[1])
    yield Joined(f"{ours}.strength", (f"{theirs}.alpha",))
    # The first convolution embeds the joint that gathers, the second one that which is gathered from.
    embedded = ("conv2", "conv1") if is_pyskl else ("conv1", "conv2")
    yield Joined(f"{ours}.embedding.weight", of_partitions(*embedded), as_linear)
    yield Joined(f"{ours}.embedding.bias", of_partitions(*embedded, tensor="bias"), in_a_row)
    yield Joined(f"{ours}.conv.weight", of_partitions("conv3"), by_partition)
    yield Joined(f"{ours}.conv.bias", of_partitions("conv3", tensor="bias"), stacked)
    yield Joined(f"{ours}.conv.refinement", of_partitions("conv4"), _negated if is_pyskl else stacked)
    yield Joined(f"{ours}.conv.refinement_bias", of_partitions("conv4", tensor="bias"), stacked)
    yield from renamed_module(f"{ours}.bn", f"{theirs}.bn")
    yield from conv_and_norm(f"{ours}.shortcut", f"{theirs}.down.0", f"{theirs}.down.1")


def _attention_block(index: int, block: str, gcn: str, graph: str, tcn: str) -> Iterator[Joined]:
    ours = f"blocks.{index}"
    yield from _attention_unit(f"{ours}.spatial", f"{block}.{gcn}", graph)
    yield from conv_and_norm(f"{ours}.temporal", f"{block}.{tcn}.conv", f"{block}.{tcn}.bn")
    yield from conv_and_norm(f"{ours}.shortcut", f"{block}.residual.conv", f"{block}.residual.bn")


def _attention_unit(ours: str, theirs: str, graph: str) -> Iterator[Joined]:
    def of_partitions(*convolutions: str, tensor: str = "weight") -> tuple[str, ...]:
        return tuple(f"{theirs}.{each}.{p}.{tensor}" for each in convolutions for p in _PARTITIONS)

    yield Joined(f"{ours}.partitions", (f"{theirs}.{graph}",))
    yield Joined(f"{ours}.strength", (f"{theirs}.alpha",))
    # conv_a embeds the joint that is gathered from, conv_b the one that gathers.
    yield Joined(f"{ours}.embedding.weight", of_partitions("conv_a", "conv_b"), as_linear)
    yield Joined(f"{ours}.embedding.bias", of_partitions("conv_a", "conv_b", tensor="bias"), in_a_row)
    yield Joined(f"{ours}.conv.weight", of_partitions("conv_d"), by_partition)
    yield Joined(f"{ours}.conv.bias", of_partitions("conv_d", tensor="bias"), stacked)
    yield from renamed_module(f"{ours}.bn", f"{theirs}.bn")
    yield from conv_and_norm(f"{ours}.shortcut", f"{theirs}.down.0", f"{theirs}.down.1")
    yield from renamed_module(f"{ours}.joint_attention", f"{theirs}.conv_sa")
    yield from renamed_module(f"{ours}.frame_attention", f"{theirs}.conv_ta")
    yield from renamed_module(f"{ours}.squeeze", f"{theirs}.fc1c")
    yield from renamed_module(f"{ours}.excite", f"{theirs}.fc2c")


def _negated(parts: Sequence[Tensor]) -> Tensor | None:
    """See `stacked`; with the opposite sign."""
    joined = stacked(parts)
    return None if joined is None else -joined


def _transposed(parts: Sequence[Tensor]) -> Tensor | None:
    """Map [P, W, V] to [P, V, W]; None for another number of axes."""
    return parts[0].transpose(1, 2).contiguous() if parts[0].ndim == _GRAPH_AXES else None
