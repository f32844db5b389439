"""Small recognizer with two pathways, the second of which reads the first."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models import PrunableFilters
from autohier.models.recognizer import Pathway, Recognizer

WEIGHTS = ((1.0, 3.0), (2.0, 1.0))
"""Weights of the pathways in the loss and in the prediction."""


class TwoPathways(Recognizer):
    """Convolutions over time on clips [B, C, T], of three stacks in pathway a and two in pathway b."""

    def __init__(self, *, weights=WEIGHTS) -> None:
        super().__init__()
        self.stack_channels = (3, 4, 5, 6, 7)
        read = (2, 3, 4, 2, 6 + 4)
        pairs = zip(read, self.stack_channels, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv1d(c, f, 3, padding=1, bias=False) for c, f in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for channels in self.stack_channels)
        self.weights = weights

    def pathways(self) -> tuple[Pathway, ...]:
        return tuple(
            Pathway(name, number, *weights)
            for name, number, weights in zip("ab", (3, 2), self.weights, strict=True)
        )

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x_BCT = batch if index in {0, 3} else outputs[-1]
            if index == 4:
                x_BCT = torch.cat([x_BCT, outputs[1]], dim=1)
            outputs.append(F.relu(norm(convolution(x_BCT))))
        return [out_BCT.mean(dim=2) for out_BCT in outputs]

    def prunable_filters(self) -> list[PrunableFilters]:
        pairs = zip(self.convolutions, self.norms, strict=True)
        return [
            PrunableFilters(f"convolutions.{index}", *pair)  # type: ignore[arg-type]
            for index, pair in enumerate(pairs)
        ]
