"""Mean absolute gradients of every head at the last convolutions of the first stack (HAC, figure 5).

Legend: B clips of a batch, N clips times persons, C channels, S superclasses of one level. The axes of a map
are those of the convolution's output without clips and channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from autohier.data.inputs.named import ClipBatch, map_clips, rows_of
from autohier.errors import InputError
from autohier.models.hierarchical import HierarchicalRecognizer


@dataclass(frozen=True, slots=True)
class HeadGradients:
    """Map of one head at the end of the first stack of its pathway."""

    pathway: str
    """Name of the pathway, or of the input that leads to the map if the maps of a pathway have different
    ones, e.g. parts of the body; empty if there is only one."""
    level: int
    """Level of the head, from 0, the coarsest."""
    layers: tuple[str, ...]
    """Convolutions whose outputs have the axes of the map, by their module paths in the recognizer."""
    means: npt.NDArray[np.float64]
    """Mean over clips, persons and channels of the absolute gradient of a clip's cross-entropy."""

    @property
    def normalized(self) -> npt.NDArray[np.float64]:
        """The map divided by its largest value; zeros if all values are 0."""
        peak = float(self.means.max())
        return self.means / peak if peak else self.means


def head_gradients(
    network: HierarchicalRecognizer,
    batches: Iterable[tuple[ClipBatch, Tensor]],
    assignments: Sequence[Sequence[int]],
) -> list[HeadGradients]:
    """Return gradient maps of every head, by pathway, then by level, then by the shape of the map.

    The cross-entropy of a head is that of the clip's own superclass, without the loss weights. The gradient
    is taken at the outputs of the last convolutions of the first stack: those that pruning may reach and that
    no other such convolution of the stack follows. These are one in a residual stack that ends without a
    projection, and one for each branch in a stack that ends in branches. Outputs of one shape that depend on
    the same inputs make one map.

    The cost is a forward pass for each pathway and batch, and a backward pass to the first stack for each
    head, in the memory of a training step: about 1 + 2 L forward passes for L heads.

    Args:
        network: left in evaluation mode; its weights get no gradients.
        batches: clips and their classes.
        assignments: superclass of each class, for each level, coarse to fine.

    Raises:
        InputError: if there are no clips, or no convolution that pruning may reach leads to the first stack.
    """
    network.eval()
    sums: dict[tuple[int, int, tuple[str, ...]], _Sum] = {}
    groups: list[list[tuple[str, ...]]] = []
    names: dict[tuple[int, tuple[str, ...]], str] = {}
    with _without_weight_gradients(network):
        for clips_B, labels_B in batches:
            if not groups:
                ends = _first_stack_ends(network, rows_of(clips_B, slice(1)))
                groups = [list(own) for own in ends]
                names = _map_names(network, ends)
            targets = [torch.tensor(level, device=labels_B.device)[labels_B] for level in assignments]
            for pathway, own_groups in enumerate(groups):
                for level, layers, gradients in _gradients(network, clips_B, targets, pathway, own_groups):
                    sums.setdefault((pathway, level, layers), _Sum()).add(gradients)
    if not sums:
        raise InputError("gradient maps need at least one clip", got=0)
    return [
        HeadGradients(names[pathway, layers], level, layers, total.mean())
        for (pathway, level, layers), total in sums.items()
    ]


@dataclass(slots=True)
class _Sum:
    """Sum of absolute gradients over clips and channels."""

    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    number: int = 0

    def add(self, gradients: Sequence[Tensor]) -> None:
        for each in gradients:
            self.total = self.total + each.abs().sum(dim=(0, 1), dtype=torch.float64).cpu().numpy()
            self.number += each.shape[0] * each.shape[1]

    def mean(self) -> npt.NDArray[np.float64]:
        mean: npt.NDArray[np.float64] = self.total / self.number
        return mean


def _gradients(
    network: HierarchicalRecognizer,
    clips_B: ClipBatch,
    targets: Sequence[Tensor],
    pathway: int,
    groups: Sequence[tuple[str, ...]],
) -> Iterator[tuple[int, tuple[str, ...], list[Tensor]]]:
    """Yield the level, the convolutions and their gradients ``[N, C, ...]`` for each head of a pathway."""
    recognizer, num_pathways = network.recognizer, len(network.pathways)
    with _outputs(recognizer, [name for group in groups for name in group], are_leaves=True) as outputs:
        features = recognizer.forward_stacks(clips_B)
    heads = list(zip(network.heads.values(), network.features, strict=True))[pathway::num_pathways]
    for level, (head, feature) in enumerate(heads):
        # Clips do not depend on each other in evaluation, so the sum has the gradients of each of them.
        scores_BS = head(features[feature]).float()
        loss = F.cross_entropy(scores_BS, targets[level], reduction="sum")
        leaves = [output for group in groups for name in group for output in outputs[name]]
        found = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        gradients = dict(zip(map(id, leaves), found, strict=True))
        for group in groups:
            own = [output for name in group for output in outputs[name]]
            yield (
                level,
                group,
                [_or_zeros(gradients[id(output)], output) for output in own],
            )


def _or_zeros(gradient: Tensor | None, output: Tensor) -> Tensor:
    return torch.zeros_like(output) if gradient is None else gradient


_Ends = dict[tuple[str, ...], tuple[str, ...]]
"""Convolutions of each map of a pathway, and the inputs of a clip that they depend on."""


def _map_names(
    network: HierarchicalRecognizer, ends: Sequence[_Ends]
) -> dict[tuple[int, tuple[str, ...]], str]:
    """Return the names of the maps by the index of their pathway and their convolutions."""
    names = {}
    for index, (pathway, own) in enumerate(zip(network.pathways, ends, strict=True)):
        differ = len(set(own.values())) > 1
        for layers, inputs in own.items():
            parts = (pathway.name, " and ".join(inputs) if differ else "")
            names[index, layers] = " ".join(part for part in parts if part)
    return names


def _first_stack_ends(network: HierarchicalRecognizer, clip: ClipBatch) -> list[_Ends]:
    """Return the last convolutions of each pathway's first stack, those of one map together.

    Outputs of one shape that depend on the same inputs make one map.
    """
    recognizer = network.recognizer
    names = [filters.name for filters in recognizer.prunable_filters()]
    # A copy, in case the network changes its input in place.
    tracked = map_clips(lambda tensor: tensor.clone().requires_grad_().clone(), clip)
    with _outputs(recognizer, names, are_leaves=False) as outputs:
        features = recognizer.forward_stacks(tracked)
    ends: list[_Ends] = []
    first = 0
    for pathway in network.pathways:
        last = _last_outputs(features[first], {name: each[-1] for name, each in outputs.items() if each})
        if not last:
            raise InputError("the first stack must have a convolution that pruning may reach", got="none")
        inputs = tracked if isinstance(tracked, dict) else {}
        groups: dict[tuple[torch.Size, tuple[str, ...]], list[str]] = {}
        for name, output in last.items():
            key = (output.shape[2:], tuple(_ancestors(output, inputs)))
            groups.setdefault(key, []).append(name)
        ends.append({tuple(group): reads for (_, reads), group in groups.items()})
        first += pathway.num_stacks
    return ends


def _last_outputs(feature: Tensor, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the outputs that the feature depends on, without those that another of these depends on."""
    last: dict[str, Tensor] = {}
    earlier: dict[str, None] = {}
    upstream = {name: outputs[name] for name in _ancestors(feature, outputs)}
    for name in reversed(list(upstream)):
        if name not in earlier:
            last[name] = upstream[name]
            earlier |= _ancestors(upstream[name], {each: upstream[each] for each in upstream if each != name})
    return dict(reversed(list(last.items())))


def _ancestors(output: Tensor, others: dict[str, Tensor]) -> dict[str, None]:
    """Return the names of the outputs that another one depends on, in their order."""
    if not others:
        return {}
    found = torch.autograd.grad(output.sum(), list(others.values()), retain_graph=True, allow_unused=True)
    return {name: None for name, gradient in zip(others, found, strict=True) if gradient is not None}


@contextmanager
def _outputs(
    recognizer: nn.Module, names: Sequence[str], *, are_leaves: bool
) -> Iterator[dict[str, list[Tensor]]]:
    """Yield the outputs of modules by name, in the order of their calls, while the network runs.

    Args:
        recognizer: that runs.
        names: module paths.
        are_leaves: True lets gradients end at the outputs, so that nothing before them is kept.
    """
    outputs: dict[str, list[Tensor]] = {}
    handles: list[RemovableHandle] = []

    def watch(name: str) -> None:
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            kept = output.detach().requires_grad_() if are_leaves else output
            outputs.setdefault(name, []).append(kept)
            # A copy, in case the next layer changes its input in place.
            return kept.clone()

        handles.append(recognizer.get_submodule(name).register_forward_hook(keep))

    for name in names:
        watch(name)
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _without_weight_gradients(network: nn.Module) -> Iterator[None]:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_()
