"""Compaction: removal of a pruned network's dead channels, without changing its outputs.

The liveness of channels decides what is removed, so that no network needs code of its own. torch has no
convolution without filters: if no filter is alive, the first one stays, all zero. A dead residual branch then
adds zeros to its stream.

Legend: C channels read, F filters or channels written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn

from autohier.core.pruning.liveness import LayerUse, Norm, Weighted, output_tensors, trace_liveness
from autohier.core.pruning.widths import channelwise_tensors, fit_widths, is_depthwise, like
from autohier.data.inputs.named import ClipBatch, new_clips
from autohier.data.inputs.shapes import ClipShape
from autohier.errors import InputError
from autohier.models.layers import filter_rows, weight_of_rows

Network = TypeVar("Network", bound=nn.Module)

_TOLERANCE = 1e-4
"""Largest difference of outputs, as a share of the largest output: far above rounding in float32."""


def compact(network: Network, input_shape: ClipShape, *, multiple: int = 1) -> Network:
    """Return a copy of a network without its dead channels; `measure_cost` returns the same for both.

    Parameter names stay, and so does everything alive. The network is not changed. Outputs in evaluation mode
    are the same; at the end, one clip of noise passes through both networks on the CPU to check that.

    Memory: the remaining weights once, and the activations of one clip twice. Time: several forward passes of
    one clip without convolutions, and two with them.

    Args:
        network: takes a batch of clips, e.g. ``[B, *input_shape]``.
        input_shape: shape of one clip, without the batch axis; by name if the network reads named inputs.
        multiple: every convolution keeps a multiple of this number of filters, because kernels are slow at
            some widths. Dead filters fill up the number as long as there are any.

    Raises:
        InputError: if the network has a layer that cannot be traced, if groups of a convolution would differ,
            if a layer is called twice and would need other channels each time, or if the smaller network
            fails or has other outputs, e.g. because a module has parameters of its own for every channel.
    """
    if multiple < 1:
        raise InputError("multiple must be at least 1", got=multiple)
    names = {module: name for name, module in network.named_modules()}
    uses = _one_per_layer(trace_liveness(network, input_shape, multiple=multiple).uses, names)
    for use in uses:
        _check_groups(use, names[use.layer])
    with torch.inference_mode(mode=False), torch.no_grad():
        # deepcopy uses the entries of its memo as the copies of these tensors.
        compacted = copy.deepcopy(network, {id(old): new for use in uses for old, new in _remainders(use)})
        for layer in compacted.modules():
            if isinstance(layer, Weighted | Norm):
                fit_widths(layer)
        _check_outputs(network, compacted, input_shape)
    return compacted


def _one_per_layer(uses: Sequence[LayerUse], names: Mapping[nn.Module, str]) -> list[LayerUse]:
    first: dict[nn.Module, LayerUse] = {}
    for use in uses:
        earlier = first.setdefault(use.layer, use)
        if not (earlier.read_C.equal(use.read_C) and earlier.kept_F.equal(use.kept_F)):
            raise InputError(f"{names[use.layer]} is called more than once and must keep the same channels")
    return list(first.values())


def _check_groups(use: LayerUse, name: str) -> None:
    """Refuse groups of different sizes. Groups of a depthwise convolution may vanish."""
    layer = use.layer
    if isinstance(layer, Norm | nn.Linear) or layer.groups == 1:
        return
    read_G, kept_G = (mask.view(layer.groups, -1).sum(dim=1) for mask in (use.read_C, use.kept_F))
    sizes = set(zip(read_G.tolist(), kept_G.tolist(), strict=True))
    if is_depthwise(layer):
        sizes.discard((0, 0))
    if len(sizes) > 1:
        text = ", ".join(f"{read} to {kept}" for read, kept in sorted(sizes))
        raise InputError(f"groups of {name} must keep equal numbers of channels", got=text)


def _remainders(use: LayerUse) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each tensor of a layer that loses channels, with its remaining part."""
    if use.read_C.all() and use.kept_F.all():
        return
    for tensor in channelwise_tensors(use.layer).values():
        if tensor is use.layer.weight and not isinstance(use.layer, Norm):
            chunks = [
                each.chunk(getattr(use.layer, "groups", 1))
                for each in (filter_rows(use.layer), use.read_C, use.kept_F)
            ]
            parts = [
                part[kept_F][:, read_C] for part, read_C, kept_F in zip(*chunks, strict=True) if kept_F.any()
            ]
            rest = weight_of_rows(use.layer, torch.cat(parts), num_groups=len(parts)).contiguous()
        else:
            rest = tensor[use.kept_F]
        yield tensor, like(tensor, rest)


def _check_outputs(network: nn.Module, compacted: nn.Module, input_shape: ClipShape) -> None:
    dtype = next((each.dtype for each in network.parameters()), None)
    noise = partial(torch.randn, generator=torch.Generator().manual_seed(0), dtype=dtype)
    clip = new_clips(noise, input_shape)
    before = list(output_tensors(_on_cpu(network)(clip)))
    after = list(output_tensors(_call_named(_on_cpu(compacted), clip)))
    for one, other in zip(before, after, strict=True):
        if one.shape != other.shape:
            raise InputError(f"outputs must keep their shape {tuple(one.shape)}", got=tuple(other.shape))
        difference, largest = (one - other).abs().max(), one.abs().max()
        if not difference <= _TOLERANCE * largest:
            raise InputError(
                "a network must have the same outputs without its dead channels",
                got=f"a difference of {difference:.2g}, with a largest output of {largest:.2g}",
            )


def _on_cpu(network: nn.Module) -> nn.Module:
    """Return a copy on the CPU, which never rounds float32 to TF32; tensors already there are shared."""
    tensors = chain(network.parameters(), network.buffers())
    return copy.deepcopy(network, {id(each): each.cpu() for each in tensors}).eval()


def _call_named(network: nn.Module, clip: ClipBatch) -> object:
    """Return a network's output for a clip. An error names the innermost module that failed."""
    entered: list[str] = []

    def leave(*_: object) -> None:
        entered.pop()

    for name, module in network.named_modules():
        module.register_forward_pre_hook(lambda *_, name=name: entered.append(name))
        module.register_forward_hook(leave)
    try:
        return network(clip)
    except (RuntimeError, ValueError, IndexError) as error:
        layer = f"layer {entered[-1]}" if entered[-1] else "the network"
        raise InputError(
            f"{layer} must work once the dead channels that it reads are removed", got=error
        ) from error
