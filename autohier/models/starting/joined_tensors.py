"""Tensors that a network here holds as one and a checkpoint holds in parts, e.g. parallel convolutions.

Legend: E embedding channels, F filters, C channels read, P partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_COUNTER: Final = "num_batches_tracked"
_OF_MODULE: Final = ("weight", "bias", "running_mean", "running_var", _COUNTER)
"""Tensors of a convolution, a linear layer or a norm."""
_BACKBONE: Final = "backbone."
_GRAPH: Final = "A"
_KERNEL_AXES: Final = 4


def only(parts: Sequence[Tensor]) -> Tensor | None:
    """Return the first part."""
    return parts[0]


def in_a_row(parts: Sequence[Tensor]) -> Tensor | None:
    """Concatenate parts along their filters; None if they do not fit each other."""
    fits = parts[0].ndim and len({(part.ndim, part.shape[1:]) for part in parts}) == 1
    return torch.cat(list(parts)) if fits else None


def by_partition(parts: Sequence[Tensor]) -> Tensor | None:
    """Join 1x1 filters of P partitions, [F, C, 1, 1] each, to [F, C, P, 1]; None if they do not fit."""
    fits = parts[0].ndim == _KERNEL_AXES and len({part.shape for part in parts}) == 1
    return torch.cat(list(parts), dim=2) if fits else None


def stacked(parts: Sequence[Tensor]) -> Tensor | None:
    """Join [F] or [F, C, 1, 1] of P partitions to [F, P] or [F, P, C]; None if they do not fit."""
    fits = parts[0].ndim and len({part.shape for part in parts}) == 1
    return torch.stack([part.flatten(1) if part.ndim > 1 else part for part in parts], 1) if fits else None


def as_linear(parts: Sequence[Tensor]) -> Tensor | None:
    """Join 1x1 filters, [E, C, 1, 1] each, to the weight of one linear layer; None if they do not fit."""
    joined = in_a_row(parts)
    return None if joined is None or joined.ndim < 2 else joined.flatten(1)


@dataclass(frozen=True, slots=True)
class Joined:
    """A tensor of a network here, and its parts in a checkpoint."""

    name: str
    """Name here."""
    parts: tuple[str, ...]
    """Names in the checkpoint."""
    join: Callable[[Sequence[Tensor]], Tensor | None] = only
    """Returns the tensor from its parts; None if they do not fit each other."""


def joined_modules(name: str, modules: Sequence[str]) -> Iterator[Joined]:
    """Yield rules that join the filters of a convolution or norm from several modules of a checkpoint."""
    for tensor in _OF_MODULE:
        join = only if tensor == _COUNTER else in_a_row
        yield Joined(f"{name}.{tensor}", tuple(f"{module}.{tensor}" for module in modules), join)


def renamed_module(name: str, module: str) -> Iterator[Joined]:
    """Return rules for a convolution, linear layer or norm that has another name in a checkpoint."""
    return (Joined(f"{name}.{tensor}", (f"{module}.{tensor}",)) for tensor in _OF_MODULE)


def conv_and_norm(name: str, convolution: str, norm: str) -> Iterator[Joined]:
    """Return the tensors of a convolution ``conv`` and its norm ``bn`` that have other names there."""
    yield from renamed_module(f"{name}.conv", convolution)
    yield from renamed_module(f"{name}.bn", norm)


def temporal_branches(name: str, unit: str, num_branches: int) -> Iterator[Joined]:
    """Return the tensors of a `TemporalBranches` whose branches a checkpoint holds one by one.

    There, all branches but the last start with a 1x1 convolution and a norm of their own, and all of them end
    with one: behind the dilated convolution, the max pooling and the 1x1 convolution.
    """
    *dilated, pooled, last = (f"{unit}.branches.{branch}" for branch in range(num_branches))
    yield from joined_modules(f"{name}.entry", [f"{branch}.0" for branch in (*dilated, pooled)])
    yield from joined_modules(f"{name}.entry_bn", [f"{branch}.1" for branch in (*dilated, pooled)])
    for index, branch in enumerate(dilated):
        yield from renamed_module(f"{name}.dilated.{index}", f"{branch}.3.conv")
    yield from renamed_module(f"{name}.pointwise", f"{last}.0")
    ends = [*(f"{branch}.3.bn" for branch in dilated), f"{pooled}.4", f"{last}.1"]
    yield from joined_modules(f"{name}.branches_bn", ends)


def without_backbone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without the prefix of a backbone, and without the graph that its units copied."""
    bare = {name.removeprefix(_BACKBONE): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in bare.items() if name != _GRAPH}


def rename_joined(state: Mapping[str, Tensor], table: Iterable[Joined]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by the names of a table.

    Tensors without a counterpart stay as they are, and so do parts that are incomplete or do not fit each
    other; so the recognizer's tensor is missing, and the parts are unexpected.
    """
    renamed: dict[str, Tensor] = {}
    used: set[str] = set()
    for each in table:
        if not all(part in state for part in each.parts):
            continue
        tensor = each.join([state[part] for part in each.parts])
        if tensor is not None:
            renamed[each.name] = tensor
            used.update(each.parts)
    return {name: tensor for name, tensor in state.items() if name not in used} | renamed
