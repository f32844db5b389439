"""Graph networks of ten blocks: graph convolutions over joints that alternate with convolutions over time.

Blocks have 64, 128 and 256 channels; a block that doubles the channels halves the frames. The persons of a
clip pass through the network separately, and their features are averaged. ST-GCN, ST-GCN++, CTR-GCN and AAGCN
differ in their units.

Legend: B clips, M persons, N = B M, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.data.joint_layout import JointLayout
from autohier.errors import InputError
from autohier.models.convolutional.residual import check_options, scaled_channels
from autohier.models.graphs.units import Projection, Unit, shortcut, start_fan_out
from autohier.models.recognizer import PrunableFilters, Recognizer

BLOCK_CHANNELS = (64,) * 4 + (128,) * 3 + (256,) * 3
BLOCK_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class Block(nn.Module):
    """Graph convolution, then a convolution over time, with a shortcut around both."""

    def __init__(self, spatial: Unit, temporal: Unit, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.shortcut = shortcut

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, C, T / stride, V]."""
        out: Tensor = self.temporal(self.spatial(x_NCTV))
        if self.shortcut is not None:
            out = out.add_(self.shortcut(x_NCTV))
        return F.relu(out, inplace=True)


_OF_JOINTS = {"partitions", "importance", "offset"}
"""Parameters and buffers of units that have a value for every pair of joints."""


class GraphRecognizer(Recognizer):
    """Base class of recognizers made of units; it finds their filters and pools features."""

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the norm of the coordinates, the graphs, and the attention to joints."""
        return frozenset(
            name
            for name in self.state_dict()
            if name.startswith("data_bn.")
            or name.rpartition(".")[2] in _OF_JOINTS
            or "joint_attention" in name.split(".")
        )

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of all convolutions in the order of the data; a block's shortcut is last."""
        return [
            replace(each, name=f"{path}.{each.name}")
            for path, unit in self.named_modules()
            if isinstance(unit, Unit)
            for each in unit.filters()
        ]


def joint_norm(joints: JointLayout, in_channels: int, num_persons: int | None) -> nn.BatchNorm1d:
    """Return the norm of the input, with a channel for every coordinate of every joint of every person.

    Args:
        joints: layout of the V joints.
        in_channels: C.
        num_persons: M; None shares the channels between persons.

    Raises:
        InputError: if num_persons is not positive.
    """
    if num_persons is not None and num_persons < 1:
        raise InputError("num_persons must be at least 1", got=num_persons)
    return nn.BatchNorm1d((num_persons or 1) * joints.num_joints * in_channels)


def normed_persons(norm: nn.BatchNorm1d, batch_BMTVC: Tensor, num_persons: int | None) -> Tensor:
    """Return the persons of clips, normalized, ``[N, C, T, V]`` in channels_last memory.

    Args:
        norm: a `joint_norm`.
        batch_BMTVC: clips.
        num_persons: M if the norm distinguishes persons, else None.

    Raises:
        InputError: if the clips have another number of persons.
    """
    if num_persons is None:
        # Over persons and frames.
        normed = norm(batch_BMTVC.flatten(3).flatten(0, 2)).view(-1, *batch_BMTVC.shape[2:])
    elif batch_BMTVC.shape[1] == num_persons:
        together = batch_BMTVC.transpose(1, 2)
        normed = norm(together.flatten(2).flatten(0, 1)).view(together.shape)
        normed = normed.transpose(1, 2).flatten(0, 1)
    else:
        raise InputError(
            f"clips must have the {num_persons} persons that the network was built for",
            got=batch_BMTVC.shape[1],
            hint="set num_persons",
        )
    x_NCTV: Tensor = normed.permute(0, 3, 1, 2)
    return x_NCTV


class BlockNetwork(GraphRecognizer):
    """Network of ten blocks on skeletons, float [B, M, T, V, C].

    Args:
        joints: layout of the V joints.
        spatial: builder of a block's spatial unit from the channels read and written.
        temporal: builder of a block's temporal unit from its channels and stride.
        num_persons: M if the norm of the input distinguishes persons, else None.
        in_channels: C.
        width: factor of every channel count; see `scaled_channels`.
        stacks: number of blocks in each stack, front to back.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        joints: JointLayout,
        spatial: Callable[[int, int], Unit],
        temporal: Callable[[int, int], Unit],
        *,
        num_persons: int | None,
        in_channels: int,
        width: float,
        stacks: Sequence[int],
    ) -> None:
        super().__init__()
        check_options(width, in_channels)
        _check_stacks(stacks)
        self._num_persons = num_persons
        self.data_bn = joint_norm(joints, in_channels, num_persons)
        channels = [in_channels, *(scaled_channels(each, width) for each in BLOCK_CHANNELS)]
        self.blocks = nn.ModuleList(
            Block(
                spatial(num_read, num_written),
                temporal(num_written, stride),
                shortcut(num_read, num_written, stride) if index else None,
            )
            for index, ((num_read, num_written), stride) in enumerate(
                zip(pairwise(channels), BLOCK_STRIDES, strict=True)
            )
        )
        self._ends = tuple(accumulate(stacks))
        self.stack_channels = tuple(channels[end] for end in self._ends)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames, joints and persons: features [B, C_l].

        Absent persons are zeros and count in the average, as in the authors' code.
        """
        x_NCTV = normed_persons(self.data_bn, batch, self._num_persons)
        features = []
        for number, block in enumerate(self.blocks, start=1):
            x_NCTV = block(x_NCTV)
            if number in self._ends:
                features.append(pooled_persons(x_NCTV, batch))
        return features


def pooled_persons(x_NCTV: Tensor, batch: Tensor) -> Tensor:
    """Return the mean over frames, joints and persons, ``[B, C]``."""
    return x_NCTV.mean(dim=(2, 3)).view(*batch.shape[:2], -1).mean(dim=1)


def as_partitions(partitions: object) -> Tensor:
    """Return partitions of a joint graph in the default precision."""
    return torch.as_tensor(partitions, dtype=torch.get_default_dtype())


def _check_stacks(stacks: Sequence[int]) -> None:
    if sum(stacks) != len(BLOCK_CHANNELS) or min(stacks) < 1:
        raise InputError(
            f"stacks must be counts of at least 1 that sum to {len(BLOCK_CHANNELS)} blocks",
            got=tuple(stacks),
            hint="write e.g. (4, 3, 3)",
        )


def start_shortcuts(network: BlockNetwork) -> None:
    """Sample the initial weights of the shortcuts around blocks as those of other convolutions."""
    for block in network.blocks:
        around: nn.Module = block.get_submodule("shortcut") if block.shortcut is not None else block
        if isinstance(around, Projection):
            start_fan_out(around.conv, around.conv.out_channels)
