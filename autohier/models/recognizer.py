"""Base class of recognizers: networks with ordered stacks and one pooled feature per stack.

Legend: B clips, F filters, C channels, T frames, H W pixels, M persons, V joints. Stacks are listed front to
back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from autohier.models.layers import Convolution, Norm

__all__ = ["Convolution", "Norm", "PassedOn", "Pathway", "PrunableFilters", "Recognizer"]


@dataclass(frozen=True, slots=True)
class PrunableFilters:
    """Filters of one convolution that pruning may remove, with the batch norm that follows."""

    name: str
    """Module path of the convolution within the recognizer."""
    convolution: Convolution
    """Convolution whose filters are pruned; a transposed one has no groups."""
    norm: Norm
    """Batch norm that reads the filters' outputs unchanged."""
    first_channel: int = 0
    """Channel of the norm that reads the first filter; a norm may follow several concatenated
    convolutions."""
    passed_on: PassedOn | None = None
    """Second norm that some channels reach without a convolution in between."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Second norm that the last filters of a convolution reach, e.g. through a pooling layer."""

    norm: Norm
    """Batch norm that reads the outputs of these filters."""
    first_channel: int
    """Channel of the norm that reads the first of these filters."""
    first_filter: int
    """Index of the first of these filters; earlier ones do not reach the norm."""


@dataclass(frozen=True, slots=True)
class Pathway:
    """Ordered stacks that carry heads of their own, with a class head on the last."""

    name: str
    """Name of the submodule and prefix of its heads, e.g. "rgb"; empty if the recognizer has only one."""
    num_stacks: int
    loss_weight: float = 1.0
    """Weight of the cross-entropies of its heads in training, besides the weight of their level."""
    prediction_weight: float = 1.0
    """Weight of its probabilities in the prediction, positive; the weights of all pathways are
    normalized."""


class Recognizer(nn.Module, ABC):
    """Network with ordered stacks, without heads.

    Heads, hierarchy, losses, pruning, cost and compaction reach a network only through the members below, so
    that they work on any. A subclass guarantees the following; `autohier.testing.recognizers` checks it:

    * `forward_stacks` returns one feature ``[B, C_l]`` per stack, where C_l is ``stack_channels[l]``, for
      every number of frames and every batch size, in training and in evaluation.
    * In evaluation, a clip's features do not depend on the other clips of the batch, and no buffer changes.
    * The feature of the last stack depends on every parameter, so that the class head trains all stacks. With
      several pathways, the features of their last stacks do so together.
    * A zeroed filter, with the affine parameters of its norm at zero, writes zeros behind the norm.
    * Initial weights depend on torch's default generator only, so that a seed reproduces them.

    A new recognizer is an entry point in the group ``autohier.recognizers``; see `autohier.extensions`. Its
    builder takes the options of its settings class and returns an instance::

        class FrameMlp(Recognizer):
            def __init__(self, *, layout: str, hidden: int = 64) -> None:
                super().__init__()
                self.conv1 = nn.Conv1d(find_layout(layout).num_joints * 3, hidden, 1)
                self.bn1 = nn.BatchNorm1d(hidden)
                self.stack_channels = (hidden,)

            def forward_stacks(self, batch: Tensor) -> list[Tensor]:
                x_NCT = batch.flatten(3).flatten(0, 1).transpose(1, 2)
                x_NCT = relu(self.bn1(self.conv1(x_NCT)))
                return [x_NCT.mean(dim=2).unflatten(0, batch.shape[:2]).mean(dim=1)]

            def prunable_filters(self) -> list[PrunableFilters]:
                return [PrunableFilters("conv1", self.conv1, self.bn1)]
    """

    stack_channels: tuple[int, ...]
    """Channels of every stack's feature, front to back; several pathways follow one another."""

    @abstractmethod
    def forward_stacks(self, batch: Any) -> list[Tensor]:  # noqa: ANN401  a tensor, or tensors by name
        """Return one pooled feature ``[B, C_l]`` per stack, in the order of ``stack_channels``.

        Called once per training and evaluation step.

        Args:
            batch: float32; frames are ``[B, C, T, H, W]``; skeletons ``[B, M, T, V, C]`` with M persons,
                zeros for absent ones; heatmaps ``[B, V, T, H, W]`` with one map per joint or limb. A
                recognizer of frames with heatmaps gets a dict of ``frames`` and ``heatmaps``, one of frames
                with skeletons a dict of ``frames`` and ``skeletons``, one of parts with skeletons a dict of
                ``left_hand``, ``right_hand``, ``body`` and ``skeletons``.
        """

    @abstractmethod
    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the convolutions whose filters pruning may remove, in the order data passes them.

        Each convolution is listed once; one that must keep all its filters is left out. The convolutions and
        norms are the network's own modules, whose weights pruning changes in place.
        """

    def pathways(self) -> tuple[Pathway, ...]:
        """Return the pathways in the order of ``stack_channels``; by default one with all stacks.

        Each pathway carries a head for every level. A pathway that may start from a trained network of its
        own is a submodule of its name, which is a `Recognizer` too; see `autohier.models.starting.fitting`.
        """
        return (Pathway("", len(self.stack_channels)),)

    def take_auxiliary_loss(self) -> Tensor | None:
        """Return the auxiliary loss of the last forward pass in training, and forget it; by default None.

        It is a scalar that is added to the loss as it is: the mean over the clips of the pass, times a weight
        of the recognizer's own. An example is a regularizer of attention weights.
        """
        return None

    def inflated_parts(self) -> Sequence[Recognizer]:
        """Return the parts that the weights of one 2D network start: modules with its names.

        By default that is the whole network; see `autohier.models.convolutional.inflation`.
        """
        return (self,)

    def data_tensors(self) -> frozenset[str]:
        """Return the names of parameters and buffers whose shape or meaning follows from the data.

        These are sized by the joints, the maps or the channels of clips. Starting weights of other data leave
        them at their initial values; see `autohier.models.starting.fitting`. By default there are none.
        """
        return frozenset()

    def stored_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert starting weights of another package to the tensors that this network stores.

        A subclass converts tensors that it does not store, e.g. a graph that this network computes from the
        joints. By default, all tensors stay as they are.
        """
        return dict(tensors)
