"""Shape of the output of a convolution or linear layer, without computing it.

torch can do the same on its meta device, for which it imports its compiler, two seconds in every process.
Only layers that compute in a way of their own go there, unless they have a method ``output_shape``.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from autohier.models.layers import Convolution, TransposedConvolution


def output_shape(layer: Convolution | nn.Linear, read: Tensor, *others: Tensor) -> torch.Size:
    """Return the shape that a layer writes.

    Args:
        layer: convolution, transposed convolution or linear layer.
        read: its input, ``[..., C, *sizes]``, or ``[..., C]`` for a linear layer.
        others: its further arguments.
    """
    stated = getattr(layer, "output_shape", None)
    if stated is not None:
        return torch.Size(stated(read, *others))
    if others or not type(layer).forward.__module__.startswith("torch."):
        return _on_meta_device(layer, read, *others)
    if isinstance(layer, nn.Linear):
        return torch.Size((*read.shape[:-1], layer.out_features))
    num_axes = len(layer.kernel_size)
    sizes = [_size(layer, axis, size) for axis, size in enumerate(read.shape[-num_axes:])]
    return torch.Size((*read.shape[: -num_axes - 1], layer.out_channels, *sizes))


def _size(layer: Convolution, axis: int, size: int) -> int:
    """Return the size that a convolution writes along an axis."""
    reach = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
    if isinstance(layer.padding, str):
        padding = reach if layer.padding == "same" else 0
    else:
        padding = 2 * layer.padding[axis]
    if isinstance(layer, TransposedConvolution):
        return (size - 1) * layer.stride[axis] - padding + reach + layer.output_padding[axis] + 1
    return (size + padding - reach - 1) // layer.stride[axis] + 1


def _on_meta_device(layer: nn.Module, *read: Tensor) -> torch.Size:
    shadow = copy.copy(layer)
    vars(shadow)["_parameters"] = vars(layer)["_parameters"] | {
        name: each.to("meta") for name, each in layer.named_parameters()
    }
    # Without the layer's hooks.
    out: Tensor = shadow.forward(*(each.to("meta") for each in read))
    return out.shape
