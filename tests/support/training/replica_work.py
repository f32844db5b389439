"""Functions that ranks of replicas run, and what they return."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autohier.core.hierarchy import Hierarchy
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.optimizers import adam, sgd
from autohier.core.training.replicas import Replicas, share_bytes, share_tensors
from autohier.core.training.replicas.whole_batch import whole_batch_layers
from autohier.core.training.schedules import cosine
from autohier.data.inputs.named import map_clips, new_clips
from autohier.data.inputs.shapes import ClipShape
from autohier.data.inputs.share import Share
from support.fakes.fake_data_loader import FakeDataLoader
from support.networks.small_recognizers import CASES, build_small, small_recognizer
from support.networks.two_inputs import SHAPE, build_two_inputs
from support.training.small_training import CutShortError

LEVELS = (0, 0, 0, 0, 1, 1, 1), (0, 0, 1, 1, 2, 2, 2), tuple(range(7))
"""Superclasses of seven classes for the three heads of small recognizers."""

TWO_INPUTS = "two-inputs"
"""Recognizer of frames with heatmaps; see `support.networks.two_inputs`."""


class SmallNet(nn.Module):
    """Layers whose results depend on the whole batch, on images of 3 x 3 pixels."""

    def __init__(self, num_classes: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        # A bias before a norm has no gradient but rounding, which Adam amplifies.
        self.conv, self.bn1 = nn.Conv2d(1, 4, 2, bias=False), nn.BatchNorm2d(4)
        self.drop_channels = nn.Dropout2d(dropout)
        self.linear, self.bn2 = nn.Linear(16, 5, bias=False), nn.BatchNorm1d(5, momentum=None)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(5, num_classes)

    def forward(self, images: Tensor) -> list[Tensor]:
        hidden = self.drop_channels(self.bn1(self.conv(images)).tanh())
        return [self.head(self.dropout(self.bn2(self.linear(hidden.flatten(1)))))]


class PersonDropout(nn.Module):
    """Dropout of two persons, each with a row of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.4)

    def forward(self, clips: Tensor) -> Tensor:
        num_clips, num_values = clips.shape
        persons: Tensor = self.dropout(clips.view(2 * num_clips, num_values // 2))
        return persons.view(num_clips, num_values)


class ThreeRows(nn.Module):
    """Turns any number of clips into three rows."""

    def forward(self, clips: Tensor) -> Tensor:
        return clips.sum() + torch.ones(3, 3)


@dataclass(frozen=True)
class Case:
    """Training of a small network."""

    recognizer: str = ""
    """Registered recognizer; empty for `SmallNet`."""
    dtype: torch.dtype = torch.float64
    num_clips: int = 10
    batch_size: int = 4
    epochs: int = 2
    dropout: float = 0.0
    learning_rate: float = 0.05
    optimizer: str = "sgd"
    options: dict[str, Any] = field(default_factory=dict)
    """Options of `train`."""
    balanced: bool = False
    checkpoint: Path | None = None
    last: int | None = None
    """Epoch after whose report training is cut short."""
    broken_rank: int | None = None
    """Rank whose clips are not finite."""


@dataclass(frozen=True)
class Trained:
    """Network and metrics of one rank."""

    state: dict[str, Tensor]
    history: tuple[EpochMetrics, ...]
    reported: list[tuple[int, bool]]

    def distance(self, other: Trained) -> float:
        """Return the largest difference of two numbers of the networks."""
        assert list(self.state) == list(other.state)
        pairs = [(self.state[name].double(), other.state[name].double()) for name in self.state]
        return max(float((one - two).abs().max()) for one, two in pairs)


def train_case(replicas: Replicas, case: Case) -> Trained:
    """Train the case's network as one of the ranks."""
    labels = [index % 7 % 3 if not case.recognizer else index % 7 for index in range(case.num_clips)]
    loader = FakeDataLoader([0.0] * case.num_clips, labels, batch_size=case.batch_size)
    shape: ClipShape = (1, 3, 3)
    if case.recognizer in CASES:
        shape = small_recognizer(case.recognizer).clip_shape
    generator = torch.Generator().manual_seed(1)
    noise = partial(torch.randn, generator=generator)
    shape = SHAPE if case.recognizer == TWO_INPUTS else shape
    loader.points = map_clips(partial(Tensor.to, dtype=case.dtype), new_clips(noise, shape, case.num_clips))
    if case.broken_rank == replicas.rank:
        loader.points[:] = torch.nan
    network: nn.Module
    if case.recognizer:
        network = build_two_inputs() if case.recognizer == TWO_INPUTS else build_small(case.recognizer)
        network.dropout.p = case.dropout  # type: ignore[union-attr]
        hierarchy, weights = Hierarchy(LEVELS), (0.5, 0.5, 1.0)
    else:
        network = SmallNet(dropout=case.dropout)
        hierarchy, weights = Hierarchy.flat(3), (1.0,)  # type: ignore[assignment]
    sizes = np.bincount(labels, minlength=hierarchy.num_classes) if case.balanced else None
    loss = HierarchicalLoss(hierarchy, weights, torch.device("cpu"), class_sizes_K=sizes)
    reported: list[tuple[int, bool]] = []

    def report(metrics: EpochMetrics, *, reused: bool) -> None:
        reported.append((metrics.epoch, reused))
        if metrics.epoch == case.last:
            raise CutShortError("cut short")

    history = train(
        network.to(case.dtype),
        loader,  # type: ignore[arg-type]
        loss,
        epochs=case.epochs,
        optimizer=partial({"sgd": sgd, "adam": adam}[case.optimizer], learning_rate=case.learning_rate),
        schedule=cosine,
        seed=3,
        on_epoch=report,
        checkpoint=EpochCheckpoint(case.checkpoint) if case.checkpoint else None,
        replicas=replicas,
        **case.options,
    )
    untimed = tuple(replace(metrics, seconds=0.0) for metrics in history)
    return Trained(network.state_dict(), untimed, reported)


def norm_values(shape: tuple[int, ...]) -> Tensor:
    """Return values for a layer, far from zero so that squares would cancel."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 100


def through_layer(
    replicas: Replicas, layer: nn.Module, values: Tensor, parts: int = 1
) -> tuple[Tensor, Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Return outputs, gradients of the values, gradients of the parameters and buffers, over all ranks.

    The values pass the layer in parts; every clip and output has another weight in the loss.
    """
    weights_N = torch.linspace(1, 2, len(values), dtype=values.dtype)
    outputs, gradients = [], []
    torch.manual_seed(5)
    layer.train()
    with whole_batch_layers(layer, replicas) as part:
        for share in Share(replicas.rank, replicas.width, parts).parts_of(len(values)):
            part.share = share
            number = max(1, share.num_own)
            rows = slice(share.start, share.start + share.num_own) if share.num_own else slice(0, 1)
            own = values[rows].detach().clone(memory_format=torch.preserve_format).requires_grad_()
            out = layer(own)
            losses = out.square().flatten(1).cumsum(dim=1).sum(dim=1) * weights_N[rows]
            (losses.sum() * (share.num_own / number)).backward()
            outputs.append(replicas.gather(out.detach()[: share.num_own].contiguous()))
            gradients.append(replicas.gather(own.grad[: share.num_own].contiguous()))  # type: ignore[index]
    parameters = {
        name: replicas.sum_(parameter.grad.clone())
        for name, parameter in layer.named_parameters()
        if parameter.grad is not None
    }
    return torch.cat(outputs), torch.cat(gradients), parameters, dict(layer.named_buffers())


def through_layers(
    replicas: Replicas, layers: dict[str, tuple[nn.Module, Tensor]], parts: int
) -> dict[str, tuple[Tensor, Tensor, dict[str, Tensor], dict[str, Tensor]]]:
    """Return `through_layer` of several layers by their names."""
    return {name: through_layer(replicas, *pair, parts) for name, pair in layers.items()}


def exchange(replicas: Replicas) -> dict[str, Any]:
    """Return what the operations of replicas give for numbers that depend on the rank."""
    rank, number = replicas.rank, 1 + replicas.rank
    strided = torch.full((2, 3), float(number)).T
    summed = replicas.sum_(strided)
    noise = torch.randn(999, generator=torch.Generator().manual_seed(rank))
    own = [torch.full((2,), float(number)), torch.tensor(number), torch.full((2, 3), number).T]
    share_tensors(own, replicas)
    return {
        "rank": rank,
        "width": replicas.width,
        "in place": summed is strided,
        "sum": strided.tolist(),
        "integers": replicas.sum_(torch.tensor([number, 2**40])).tolist(),
        "rows": replicas.gather(torch.full((rank, 2), number)).tolist(),
        "no rows": replicas.gather(torch.empty(0, 2)).shape,
        "not finite": replicas.gather(torch.tensor([torch.inf, torch.nan]))[:2].tolist(),
        "bits": replicas.sum_(noise).numpy().tobytes(),
        "content": share_bytes(b"other" if rank else b"of rank 0", replicas),
        "empty": share_bytes(b"other" if rank else b"", replicas),
        "tensors": [tensor.tolist() for tensor in own],
    }


def fail_at(replicas: Replicas, rank: int, how: str) -> None:
    """Fail on one rank while the others add up numbers."""
    if replicas.rank == rank:
        if how == "die":
            os._exit(3)
        if how == "hang":
            time.sleep(1.5)
            return
        raise MemoryError("no memory here")
    replicas.sum_(torch.ones(3))
