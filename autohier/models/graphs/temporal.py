"""Temporal convolutional network: residual convolutions over time on all joints of a person at once.

The network of Kim and Reiter, "Interpretable 3D Human Action Analysis with Temporal Convolutional Networks"
(CVPRW 2017), with two differences. Norms follow convolutions, as in ResNet, instead of preceding them, since
a filter whose output is added without a norm could not be pruned. A block has two convolutions instead of
one.

Legend: B clips, M persons, N = B M, T frames, V joints, C channels.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.convolutional.residual import check_options, scaled_channels, stack_filters
from autohier.models.graphs.joint_graph import find_layout
from autohier.models.recognizer import PrunableFilters, Recognizer

STACK_CHANNELS = (64, 128, 256)
STACK_STRIDES = (1, 2, 2)


class TemporalBlock(nn.Module):
    """Two convolutions over time with a shortcut around them."""

    def __init__(self, num_read: int, num_written: int, num_frames_seen: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(num_read, num_written, num_frames_seen, stride)
        self.bn1 = nn.BatchNorm1d(num_written)
        self.conv2 = _convolution(num_written, num_written, num_frames_seen)
        self.bn2 = nn.BatchNorm1d(num_written)
        self.downsample = nn.Sequential()
        if stride > 1 or num_read != num_written:
            projection = _convolution(num_read, num_written, 1, stride)
            self.downsample = nn.Sequential(projection, nn.BatchNorm1d(num_written))

    def forward(self, x_NCT: Tensor) -> Tensor:
        """Map [N, C, T] to [N, num_written, T / stride]."""
        out = F.relu(self.bn1(self.conv1(x_NCT)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out.add_(self.downsample(x_NCT)), inplace=True)


class TemporalConvNet(Recognizer):
    """Network on skeletons, float [B, M, T, V, C]; stacks of 64, 128 and 256 channels at width 1.

    Args:
        layout: name of the `JointLayout` of the V joints.
        in_channels: C.
        width: factor of every channel count; see `scaled_channels`.
        num_blocks: number of blocks in each stack.
        num_frames_seen: kernel size of a convolution in frames, odd.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        layout: str = "kinect-v2-25",
        in_channels: int = 3,
        width: float = 1.0,
        num_blocks: int = 2,
        num_frames_seen: int = 5,
    ) -> None:
        super().__init__()
        check_options(width, in_channels)
        if num_blocks < 1:
            raise InputError("num_blocks must be at least 1", got=num_blocks)
        if num_frames_seen < 1 or num_frames_seen % 2 == 0:
            raise InputError("num_frames_seen must be odd", got=num_frames_seen, hint="write e.g. 5")
        num_values = find_layout(layout).num_joints * in_channels
        self.stack_channels = tuple(scaled_channels(channels, width) for channels in STACK_CHANNELS)
        self.data_bn = nn.BatchNorm1d(num_values)
        self.conv1 = _convolution(num_values, self.stack_channels[0], 1)
        self.bn1 = nn.BatchNorm1d(self.stack_channels[0])
        self.layers = nn.ModuleList()
        num_read = self.stack_channels[0]
        for num_written, stride in zip(self.stack_channels, STACK_STRIDES, strict=True):
            first = TemporalBlock(num_read, num_written, num_frames_seen, stride)
            others = (
                TemporalBlock(num_written, num_written, num_frames_seen, 1) for _ in range(num_blocks - 1)
            )
            self.layers.append(nn.Sequential(first, *others))
            num_read = num_written

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames and persons: three features [B, C_l].

        Absent persons are zeros and count in the average, as in the graph networks.
        """
        x_NCT = self.data_bn(batch.flatten(3).flatten(0, 1).transpose(1, 2))
        x_NCT = F.relu(self.bn1(self.conv1(x_NCT)), inplace=True)
        features = []
        for layer in self.layers:
            x_NCT = layer(x_NCT)
            features.append(x_NCT.mean(dim=2).unflatten(0, batch.shape[:2]).mean(dim=1))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the stacks' convolutions, front to back; a block's downsampling is last."""
        return stack_filters(self)

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the norm of the coordinates and of the convolution that reads them."""
        norm = (name for name in self.state_dict() if name.startswith("data_bn."))
        return frozenset({*norm, "conv1.weight"})


def _convolution(num_read: int, num_written: int, num_frames_seen: int, stride: int = 1) -> nn.Conv1d:
    padding = num_frames_seen // 2
    return nn.Conv1d(num_read, num_written, num_frames_seen, stride=stride, padding=padding, bias=False)
