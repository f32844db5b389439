"""What a recognizer is: a network with ordered stacks, one pooled feature per stack.

Legend: B clips, F filters, C channels, T frames, H W pixels, M persons, V joints. Stacks are listed front to
back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@dataclass(frozen=True, slots=True)
class PrunableFilters:
    """A convolution whose filters may be pruned, with the batch norm that follows it."""

    name: str
    """Module path of the convolution within the recognizer."""
    convolution: Convolution
    norm: Norm
    first_channel: int = 0
    """Where the filters' channels begin in the norm, which may follow several convolutions side by side."""
    passed_on: PassedOn | None = None
    """Where channels go on to another norm with no convolution between."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A second norm that the last filters of a convolution reach, as through a pooling."""

    norm: Norm
    first_channel: int
    first_filter: int
    """The filter whose channel is the first one there; those before it do not reach it."""


class Recognizer(nn.Module, ABC):
    """A network with ordered stacks, without heads.

    Heads, hierarchy, losses and pruning work on any network through these members, so that a graph network
    and a 3D ResNet share them.
    """

    stack_channels: tuple[int, ...]
    """Channels of every stack's feature."""

    @abstractmethod
    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """One pooled feature ``[B, C_l]`` per stack.

        Args:
            batch: float32; frames are ``[B, C, T, H, W]``, skeletons ``[B, M, T, V, C]`` with M persons, zero
                where one is absent, and heatmaps ``[B, V, T, H, W]`` with a map for every joint.
        """

    @abstractmethod
    def prunable_filters(self) -> list[PrunableFilters]:
        """The convolutions that pruning may thin out, in the order data passes them."""
