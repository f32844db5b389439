"""Widths of layers: shrinking a network to the tensors of a compacted one.

Legend: F filters or channels written.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from autohier.core.pruning.liveness import Norm, Weighted
from autohier.errors import InputError
from autohier.models.gates import ChannelGate
from autohier.models.layers import TransposedConvolution, filter_rows

_CHANNELWISE = ("weight", "bias", "running_mean", "running_var")
_MISMATCHES_SHOWN = 3


def load_compacted(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Shrink the layers of a network to the tensors of a compacted one, and load the tensors.

    Widths follow from the shapes of the tensors only. The function does not check that the widths of
    consecutive layers match.

    Args:
        network: built like the network that was compacted; changed in place.
        tensors: the state dict of the network that `compact` returned.

    Raises:
        InputError: if tensors are missing, unexpected, or not a part of the network's own. The network is not
            changed then.
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
    mismatches += [f"{name} is unexpected" for name in tensors if name not in own]
    mismatches += [
        f"{name} has shape {tuple(tensors[name].shape)}, not {tuple(shape)} or a part of it"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if mismatches:
        raise InputError(
            "the tensors must fit the network after compaction",
            got=f"{len(mismatches)} mismatches: {', '.join(mismatches[:_MISMATCHES_SHOWN])}",
            hint="build the network as it was trained",
        )
    for prefix, layer in layers.items():
        for attribute, tensor in channelwise_tensors(layer).items():
            if tensor.shape != shapes[prefix + attribute]:
                setattr(layer, attribute, like(tensor, tensor.new_empty(shapes[prefix + attribute])))
        fit_widths(layer)
    network.load_state_dict(dict(tensors))


def fit_widths(layer: Weighted | Norm) -> None:
    """Set the width attributes of a layer to the widths of its tensors."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, Norm):
        for tensor in channelwise_tensors(layer).values():
            layer.num_features = len(tensor)
    else:
        if is_depthwise(layer):
            layer.groups = len(layer.weight)
        rows_FC = filter_rows(layer)
        layer.out_channels, layer.in_channels = len(rows_FC), layer.groups * rows_FC.shape[1]


def channelwise_tensors(layer: Weighted | Norm) -> dict[str, Tensor]:
    """Return the tensors of a layer that lose filters or channels, by the names of its attributes.

    They are ``[F, ...]``, but the weight of a transposed convolution is ``[C, F, ...]``. A layer may name
    more of them in ``channelwise``.
    """
    attributes = (*_CHANNELWISE, *getattr(layer, "channelwise", ()))
    named = {attribute: getattr(layer, attribute, None) for attribute in attributes}
    return {attribute: tensor for attribute, tensor in named.items() if tensor is not None}


def like(tensor: Tensor, rest: Tensor) -> Tensor:
    """Return ``rest`` as a parameter if ``tensor`` is one, else unchanged."""
    return nn.Parameter(rest, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else rest


def is_depthwise(layer: Weighted) -> bool:
    """Return True if a convolution maps each channel to one channel of its own."""
    return not isinstance(layer, nn.Linear) and layer.groups == layer.in_channels == layer.out_channels


def _shapes_left(layer: Weighted | Norm, prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Return the shapes of a layer's tensors after compaction; empty if none of its tensors fits."""
    own = channelwise_tensors(layer)
    for first, tensor in own.items():
        remaining = tensors.get(prefix + first)
        if remaining is None or not _is_part(layer, remaining.shape, tensor.shape):
            return {}
        num_left = _num_filters(layer, remaining.shape) if first == "weight" else remaining.shape[0]
        left = {prefix + each: torch.Size([num_left]) + tensor.shape[1:] for each, tensor in own.items()}
        return left | {prefix + first: remaining.shape}
    return {}


def _is_part(layer: Weighted | Norm, remaining: torch.Size, own: torch.Size) -> bool:
    """Return True if compaction of a layer's tensor of shape ``own`` can leave the shape ``remaining``."""
    if len(remaining) != len(own) or remaining[2:] != own[2:]:
        return False
    if not all(0 < size <= own_size for size, own_size in zip(remaining[:2], own[:2], strict=True)):
        return False
    if isinstance(layer, nn.Linear):
        return remaining[0] == own[0] or isinstance(layer, ChannelGate)
    return isinstance(layer, Norm) or is_depthwise(layer) or remaining[0] % layer.groups == 0


def _num_filters(layer: Weighted | Norm, shape: torch.Size) -> int:
    """Return the number of filters of a weight of this shape."""
    if not isinstance(layer, TransposedConvolution):
        return shape[0]
    return shape[0] if is_depthwise(layer) else layer.groups * shape[1]
