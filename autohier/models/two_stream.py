"""Two streams that train together: an inflated ResNet on frames and ST-GCN++ on skeletons.

HAC averages networks that were trained apart and leaves their joint training to future work. Here both share
superclasses, pruning and validation, and the mean of their probabilities is the prediction.

Legend: B clips, C channels, M persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from autohier.models.convolutional.inflated_resnet import InflatedResNet
from autohier.models.graphs.st_gcn import StGcn
from autohier.models.recognizer import Pathway, PrunableFilters, Recognizer


class TwoStream(Recognizer):
    """Network on frames [B, C, T, H, W] and skeletons [B, M, T, V, 3], in pathways of 4 and 3 stacks.

    Args:
        width: factor of every channel count; see `scaled_channels`.
        skeleton_width: the same for ST-GCN++; None for width.
        depth: depth of the ResNet: 18, 34, 50 or 101.
        in_channels: C.
        layout: name of the `JointLayout` of the V joints.
        loss_weights: weights of the cross-entropies of frames and skeletons.
        prediction_weights: weights of the probabilities of frames and skeletons.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        skeleton_width: float | None = None,
        depth: int = 50,
        in_channels: int = 3,
        layout: str = "kinect-v2-25",
        loss_weights: Sequence[float] = (1.0, 1.0),
        prediction_weights: Sequence[float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.frames = InflatedResNet(depth, width=width, in_channels=in_channels)
        self.skeletons = StGcn("st-gcn++", layout=layout, width=skeleton_width or width)
        self.stack_channels = (*self.frames.stack_channels, *self.skeletons.stack_channels)
        weights = zip(loss_weights, prediction_weights, strict=True)
        self._pathways = tuple(
            Pathway(name, len(stream.stack_channels), *own)
            for (name, stream), own in zip(self._streams(), weights, strict=True)
        )

    def pathways(self) -> tuple[Pathway, ...]:
        """Return frames and skeletons."""
        return self._pathways

    def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """Return the features of the stacks on frames, then of those on skeletons."""
        return [
            *self.frames.forward_stacks(batch["frames"]),
            *self.skeletons.forward_stacks(batch["skeletons"]),
        ]

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the ResNet, then those of ST-GCN++."""
        return [
            replace(each, name=f"{name}.{each.name}")
            for name, stream in self._streams()
            for each in stream.prunable_filters()
        ]

    def data_tensors(self) -> frozenset[str]:
        """Return the names of both streams' tensors that depend on the data."""
        return frozenset(
            f"{name}.{each}" for name, stream in self._streams() for each in stream.data_tensors()
        )

    def _streams(self) -> tuple[tuple[str, Recognizer], ...]:
        return ("frames", self.frames), ("skeletons", self.skeletons)
