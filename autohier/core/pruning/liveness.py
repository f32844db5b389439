"""Liveness: which channels of a network's layers remain if the dead ones are removed.

Liveness passes through the network as values: NaN for a live channel, a finite number for a dead one. NaN
spreads through every operation that touches it and cannot cancel or underflow. An operation that joins
channels (a residual sum, a concatenation, a pooling) therefore joins their liveness, and no network needs
code of its own.

Gradients pass back from live channels that are read to the channels written into them. A dead filter that
they reach cannot be removed: another writer of the same residual stream keeps its channel alive, and a stream
has one width. The filter is revived, and the network is traced again until nothing is left to revive.

A product of two live tensors is alive. Where a tensor only scales channels, a network says so with a gate of
`autohier.models.gates`, so that a channel of zeros stays dead.

Legend: B clips, C channels read, F filters or channels written.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from autohier.core.pruning.operations import MatrixProducts, refuse_unknown_layers
from autohier.core.pruning.output_shapes import output_shape
from autohier.data.inputs.named import ClipBatch, new_clips
from autohier.data.inputs.shapes import ClipShape
from autohier.models.gates import ChannelGate, Gate, WeightedSum
from autohier.models.layers import Convolution, TransposedConvolution, filter_rows

Weighted = Convolution | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm

# Any positive number: the gradient of a rectifier is 1 there, and 0 at 0.
_DEAD = 1.0


@dataclass(frozen=True, slots=True)
class LayerUse:
    """One call of a layer, and its channels that remain."""

    layer: Weighted | Norm
    read_C: Tensor
    """Bool mask of the channels read that are alive."""
    kept_F: Tensor
    """Bool mask of the channels written that remain."""
    num_positions: int
    """Number of positions at which every weight is applied: those written, or those that a transposed
    convolution reads."""
    num_rows: int = 1
    """Length of the first axis of what is written, e.g. clips times persons."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Layers that one clip passes, and the products between them."""

    uses: list[LayerUse]
    """Every call of a convolution, linear layer or batch norm, in order."""
    products: int
    """Multiply-adds of live matrix products and convolutions that no layer calls."""


def trace_liveness(network: nn.Module, input_shape: ClipShape, *, multiple: int = 0) -> Trace:
    """Trace one clip through a network.

    No convolution is computed, no weight of these layers is copied, and the network is not changed.

    Args:
        network: takes a batch of clips, e.g. ``[B, *input_shape]``.
        input_shape: shape of one clip, without the batch axis; by name if the network reads named inputs.
        multiple: 0 removes all dead channels. Otherwise some dead channels stay: every layer reads at least
            one channel, and every convolution keeps a multiple of this number of filters, or all it has.

    Raises:
        InputError: if the network has a layer or an operation that cannot be traced, e.g. an LSTM.
    """
    require_known_layers(network)
    tape = _Tape()
    probes: dict[int, object] = {
        id(layer): tape.probe(layer)
        for layer in network.modules()
        if isinstance(layer, Weighted | Norm | Gate)
    }
    # deepcopy uses the entries of its memo as the copies of these layers.
    traced = copy.deepcopy(network, probes).eval()
    like = next(network.parameters(), torch.empty(0))
    with torch.inference_mode(mode=False), torch.enable_grad():
        unknown = partial(torch.full, fill_value=math.nan, dtype=like.dtype, device=like.device)
        clip = new_clips(unknown, input_shape)
        outputs = tape.record(traced, clip)
        while tape.revive(outputs) or (multiple and tape.fill_up(multiple)):
            outputs = tape.record(traced, clip)
    return Trace(tape.uses, tape.products.multiply_adds)


def require_known_layers(network: nn.Module) -> None:
    """Refuse a network with a layer that cannot be traced, without tracing it; see `refuse_unknown_layers`.

    Raises:
        InputError: if there is one, e.g. an LSTM.
    """
    refuse_unknown_layers(network, (Weighted, Norm))


@dataclass(frozen=True, slots=True)
class _Tape:
    """Record of one pass through the network, call by call, that the probes of the layers write."""

    uses: list[LayerUse] = field(default_factory=list)
    written: list[Tensor] = field(default_factory=list)
    """Values ``[F]`` written into the channels; their gradients show which flow into live channels."""
    ends: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """Tensors that the layers read, and gradient seeds of the same shape: 1 for live channels."""
    more_ends: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """Further tensors that gates read, and their seeds."""
    revived: list[Tensor] = field(default_factory=list)
    """Bool mask ``[F]`` for each call, of the channels that earlier passes found alive."""
    products: MatrixProducts = field(default_factory=MatrixProducts)
    """Counter of the products between the layers."""

    def record(self, traced: nn.Module, clip: ClipBatch) -> list[Tensor]:
        """Pass one clip through a network of probes, record what it uses, and return its outputs."""
        for records in (self.uses, self.written, self.ends, self.more_ends):
            records.clear()
        self.products.multiply_adds = 0
        with self.products:
            return list(output_tensors(traced(clip)))

    def probe(self, layer: Weighted | Norm | Gate) -> nn.Module:
        """Return a layer with the same parameters that computes liveness instead of activations."""
        probe = copy.copy(layer)
        forward: Callable[..., Tensor]
        if isinstance(layer, WeightedSum):
            forward = self._sum
        elif isinstance(layer, Gate):
            forward = self._gate
        elif isinstance(layer, ChannelGate):
            forward = partial(self._gate_channels, layer)
        elif isinstance(layer, Norm):
            forward = partial(self._shift, layer)
        else:
            forward = partial(self._convolve, layer)
        vars(probe)["forward"] = self.products.paused()(forward)
        return probe

    def revive(self, outputs: list[Tensor]) -> bool:
        """Revive the dead channels that flow into live ones; return True if there are any."""
        ends = [(output, output.isnan().to(output.dtype)) for output in outputs]
        return self._keep([use.kept_F for use in self.uses], [*self.ends, *self.more_ends, *ends])

    def fill_up(self, multiple: int) -> bool:
        """Revive the first dead channels of layers that have too few; return True if there are any."""
        ends = []
        for use, (read, _) in zip(self.uses, self.ends, strict=True):
            if not use.read_C.any():
                seed = torch.zeros_like(read)
                seed.select(_channel_axis(use.layer, read), 0).fill_(1.0)
                ends.append((read, seed))
        return self._keep([_filled_up(use, multiple) for use in self.uses], ends)

    def _keep(self, kept: Sequence[Tensor], ends: Sequence[tuple[Tensor, Tensor]]) -> bool:
        """Mark ``kept`` channels and all that flow into the ends as alive; return True if any was dead."""
        ends = [(end, seed) for end, seed in ends if end.requires_grad]
        self.revived[:] = kept
        if ends and self.written:
            # One number has the gradients of all ends, and torch imports no compiler to compare shapes.
            total = torch.stack([(end * seed).sum() for end, seed in ends]).sum()
            slopes = torch.autograd.grad(total, self.written, materialize_grads=True, retain_graph=True)
            self.revived[:] = [kept_F | (slope_F != 0) for kept_F, slope_F in zip(kept, slopes, strict=True)]
        return not all(now_F.equal(use.kept_F) for now_F, use in zip(self.revived, self.uses, strict=True))

    def _convolve(self, layer: Weighted, read: Tensor, *others: Tensor) -> Tensor:
        """Return the liveness after a convolution or linear layer, in its output's shape."""
        channel_axis = _channel_axis(layer, read)
        read_C = _live_channels(read, channel_axis)
        num_groups = getattr(layer, "groups", 1)
        rows_FC = filter_rows(layer)
        num_filters = len(rows_FC)
        if isinstance(layer, nn.Linear):
            emits_F = read_C.new_ones(num_filters)
        else:
            reads_F = read_C.view(num_groups, -1).any(dim=1).repeat_interleave(num_filters // num_groups)
            emits_F = reads_F & (rows_FC != 0).flatten(1).any(dim=1)
        if layer.bias is not None:
            emits_F = emits_F | (layer.bias != 0).view(num_filters, -1).any(dim=1)

        shape = output_shape(layer, read, *others)
        kept_F = self._revived(emits_F)
        values_F = read.new_full((num_filters,), _DEAD).masked_fill_(kept_F, math.nan)
        num_positions = shape.numel() // num_filters
        if isinstance(layer, TransposedConvolution):
            num_positions = read.numel() // len(read_C)
        self.uses.append(LayerUse(layer, read_C, kept_F, num_positions, shape[0]))
        self.written.append(values_F.requires_grad_())
        self.ends.append((read, _along(read_C.to(read.dtype), channel_axis).expand_as(read)))
        return _along(values_F, channel_axis).expand(shape).clone()

    def _shift(self, layer: Norm, read: Tensor) -> Tensor:
        """Return the liveness after a batch norm: a channel is dead if it reads and shifts nothing."""
        channel_axis = _channel_axis(layer, read)
        read_C = _live_channels(read, channel_axis)
        shifts_F = torch.ones_like(read_C)
        if layer.affine:
            shifts_F = (layer.weight != 0) | (layer.bias != 0)
        kept_F = self._revived(read_C | shifts_F)
        values_F = read.new_zeros(len(read_C)).masked_fill_(kept_F, math.nan)
        self.uses.append(LayerUse(layer, read_C, kept_F, read.numel() // len(read_C)))
        self.written.append(values_F.requires_grad_())
        # A norm has one width: it must read what it writes, even if no layer reads that.
        self.ends.append((read, _along(kept_F.to(read.dtype), channel_axis).expand_as(read)))
        return read + _along(values_F, channel_axis)

    def _gate(self, read: Tensor, scores: Tensor) -> Tensor:
        """Return the liveness of the channels that a gate scales; its scores are needed."""
        self.more_ends.append((scores, torch.ones_like(scores)))
        return read.clone()

    def _sum(self, reads: Sequence[Tensor], weights: Tensor) -> Tensor:
        """Return the liveness of a weighted sum, whose live channels and weights are needed."""
        total = torch.stack([read.clone() for read in reads]).sum(dim=0)
        ends = [(weights, torch.ones_like(weights)), (total, total.isnan().to(total.dtype))]
        self.more_ends.extend(ends)
        return total

    def _gate_channels(self, layer: ChannelGate, hidden: Tensor, read: Tensor) -> Tensor:
        """Return the liveness of the channels that a gate scales, one filter each."""
        channel_axis = 1 - read.ndim
        read_H = _live_channels(hidden, -1)
        live_F = self._revived(_live_channels(read, channel_axis))
        values_F = hidden.new_zeros(len(live_F)).masked_fill_(live_F, math.nan)
        self.uses.append(LayerUse(layer, read_H, live_F, hidden.numel() // len(read_H)))
        self.written.append(values_F.requires_grad_())
        self.ends.append((hidden, read_H.to(hidden.dtype).expand_as(hidden)))
        self.more_ends.append((read, _along(live_F.to(read.dtype), channel_axis).expand_as(read)))
        return read + _along(values_F, channel_axis)

    def _revived(self, alive_F: Tensor) -> Tensor:
        return alive_F | self.revived[len(self.uses)] if self.revived else alive_F


def _filled_up(use: LayerUse, multiple: int) -> Tensor:
    """Return the mask ``[F]``, with the first dead filters added if a convolution must keep more."""
    kept_F = use.kept_F.clone()
    if not isinstance(use.layer, Norm | ChannelGate):
        num_kept = int(kept_F.sum())
        num_wanted = multiple * max(1, math.ceil(num_kept / multiple))
        kept_F[(~kept_F).nonzero()[: num_wanted - num_kept]] = True
    return kept_F


def _channel_axis(layer: Weighted | Norm, read: Tensor) -> int:
    """Return the channel axis, counted from the end, since a batch may have several leading axes."""
    return 1 - (read.ndim if isinstance(layer, Norm) else layer.weight.ndim)


def _live_channels(values: Tensor, channel_axis: int) -> Tensor:
    return values.isnan().movedim(channel_axis, 0).flatten(1).any(dim=1)


def _along(values_F: Tensor, channel_axis: int) -> Tensor:
    """Return a view that broadcasts over all axes but the channels', which is counted from the end."""
    return values_F.view(-1, *[1] * (-channel_axis - 1))


def output_tensors(outputs: object) -> Iterator[Tensor]:
    """Yield the tensors of a network's output, which may be nested tuples, lists and dicts."""
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, dict):
        yield from output_tensors(list(outputs.values()))
    elif isinstance(outputs, list | tuple):
        for each in outputs:
            yield from output_tensors(each)
