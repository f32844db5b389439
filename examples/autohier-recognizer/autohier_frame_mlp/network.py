"""Multilayer perceptron on the joints of each frame.

Legend: B clips, M persons, N = B M, T frames, V joints, C channels.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models import PrunableFilters, Recognizer
from autohier.models.graphs.joint_graph import find_layout


class FrameMlp(Recognizer):
    """Skeletons float [B, M, T, V, 3] to one feature per stack: the mean over frames and persons.

    Args:
        layout: name of the `JointLayout` of the V joints.
        hidden: channels of every stack.
        num_stacks: number of stacks, of one layer each.

    Raises:
        InputError: if the layout is unknown.
    """

    def __init__(self, *, layout: str = "kinect-v2-25", hidden: int = 64, num_stacks: int = 3) -> None:
        super().__init__()
        num_values = find_layout(layout).num_joints * 3
        self.stack_channels = (hidden,) * num_stacks
        read = (num_values, *self.stack_channels)
        self.layers = nn.ModuleList(nn.Conv1d(read[i], hidden, 1, bias=False) for i in range(num_stacks))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(num_stacks))

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return one feature [B, hidden] per stack."""
        x_NCT = batch.flatten(3).flatten(0, 1).transpose(1, 2)
        features = []
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x_NCT = F.relu(norm(layer(x_NCT)))
            features.append(x_NCT.mean(dim=2).unflatten(0, batch.shape[:2]).mean(dim=1))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of every stack's layer."""
        pairs = zip(self.layers, self.norms, strict=True)
        return [
            PrunableFilters(f"layers.{index}", layer, norm)
            for index, (layer, norm) in enumerate(pairs)
            if isinstance(layer, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d)
        ]
