"""Widths of layers: told by their tensors, and shrunk to those of a compacted network.

Legend: F filters or channels written.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from autohier.core.pruning.liveness import Norm, Weighted
from autohier.errors import InputError

_CHANNELWISE = ("weight", "bias", "running_mean", "running_var")
_MISMATCHES_TOLD = 3


def load_compacted(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Shrink the layers of a network to the tensors of a compacted one, and load these.

    Widths follow from the shapes of the tensors alone. Whether they fit from one layer to the next is not
    looked at.

    Args:
        network: built as the compacted one was; changed in place.
        tensors: the state dict of what `compact` returned.

    Raises:
        InputError: where tensors are missing, left over, or no part of the network's own; names the first of
            them, and the network is left as it was.
    """
    own = network.state_dict()
    shapes = {name: tensor.shape for name, tensor in own.items()}
    # Layers that are shared have several names in a state dict.
    layers = {
        f"{name}." if name else "": layer
        for name, layer in network.named_modules(remove_duplicate=False)
        if isinstance(layer, Weighted | Norm)
    }
    for prefix, layer in layers.items():
        shapes |= _shapes_left(layer, prefix, tensors)
    mismatches = [f"{name} is missing" for name in own if name not in tensors]
    mismatches += [f"{name} has no place" for name in tensors if name not in own]
    mismatches += [
        f"{name} has shape {tuple(tensors[name].shape)}, not {tuple(shape)} or a part of it"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if mismatches:
        raise InputError(
            "tensors must be those of the network, compacted",
            got=f"{len(mismatches)} mismatches: {', '.join(mismatches[:_MISMATCHES_TOLD])}",
            remedy="build the network as it was trained",
        )
    for prefix, layer in layers.items():
        for attribute, tensor in channelwise_tensors(layer).items():
            if tensor.shape != shapes[prefix + attribute]:
                setattr(layer, attribute, like(tensor, tensor.new_empty(shapes[prefix + attribute])))
        fit_widths(layer)
    network.load_state_dict(dict(tensors))


def fit_widths(layer: Weighted | Norm) -> None:
    """Have a layer tell the widths that its tensors have."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, Norm):
        for tensor in channelwise_tensors(layer).values():
            layer.num_features = len(tensor)
    else:
        if is_depthwise(layer):
            layer.groups = len(layer.weight)
        layer.out_channels, layer.in_channels = len(layer.weight), layer.groups * layer.weight.shape[1]


def channelwise_tensors(layer: Weighted | Norm) -> dict[str, Tensor]:
    """The tensors ``[F, ...]`` of a layer by the names of its attributes."""
    named = {attribute: getattr(layer, attribute, None) for attribute in _CHANNELWISE}
    return {attribute: tensor for attribute, tensor in named.items() if tensor is not None}


def like(tensor: Tensor, rest: Tensor) -> Tensor:
    """What is left of a tensor as a parameter, where the tensor was one."""
    return nn.Parameter(rest, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else rest


def is_depthwise(layer: Weighted) -> bool:
    """Whether a convolution looks at each channel alone and puts out one for each."""
    return not isinstance(layer, nn.Linear) and layer.groups == layer.in_channels == layer.out_channels


def _shapes_left(layer: Weighted | Norm, prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Shapes of a layer's tensors as its first one gives them; none where that is no part of the layer's."""
    own = channelwise_tensors(layer)
    for first, tensor in own.items():
        given = tensors.get(prefix + first)
        if given is None or not _is_part(layer, given.shape, tensor.shape):
            return {}
        left = {prefix + each: given.shape[:1] + tensor.shape[1:] for each, tensor in own.items()}
        return left | {prefix + first: given.shape}
    return {}


def _is_part(layer: Weighted | Norm, given: torch.Size, own: torch.Size) -> bool:
    """Whether a first tensor can be what compaction left of a layer's own."""
    if len(given) != len(own) or given[2:] != own[2:]:
        return False
    if not all(0 < size <= own_size for size, own_size in zip(given[:2], own[:2], strict=True)):
        return False
    if isinstance(layer, nn.Linear):
        return given[0] == own[0]
    return isinstance(layer, Norm) or is_depthwise(layer) or given[0] % layer.groups == 0
