"""What a recognizer is: a network with ordered stacks, one pooled feature per stack.

Legend: B clips, F filters, C channels; stacks are listed front to back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class PrunableFilters:
    """A convolution whose filters may be pruned, with the batch norm that follows it."""

    name: str
    """Module path of the convolution within the recognizer."""
    convolution: nn.Conv3d
    norm: nn.BatchNorm3d


class Recognizer(nn.Module, ABC):
    """A network with ordered stacks, without heads.

    Heads, hierarchy, losses and pruning work on any network through these members, so that a graph network
    and a 3D ResNet share them.
    """

    modality: str
    """What ``forward_stacks`` takes: "frames" is float32 [B, C, T, H, W]."""
    stack_channels: tuple[int, ...]
    """Channels of every stack's feature."""

    @abstractmethod
    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """One pooled feature ``[B, C_l]`` per stack."""

    @abstractmethod
    def prunable_filters(self) -> list[PrunableFilters]:
        """The convolutions that pruning may thin out, in the order data passes them."""
