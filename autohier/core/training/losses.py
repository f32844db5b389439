"""The multi-level loss of HAC: a weighted cross-entropy after every headed stack.

Legend: B clips, K classes, S superclasses of one stack, L headed stacks, front to back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autohier.core.hierarchy.hierarchy import Hierarchy


class HierarchicalLoss:
    """What a network is trained and scored on: a hierarchy and the loss weight of each of its stacks.

    HAC section 3.3: the loss of a stack is the cross-entropy of its softmax against its superclasses, the
    total their weighted sum with the weights as printed, not normalised.
    """

    def __init__(self, hierarchy: Hierarchy, weights: Sequence[float], device: torch.device) -> None:
        self.num_classes = hierarchy.num_classes
        self.assignments_LK = torch.tensor(hierarchy.assignments, dtype=torch.int64, device=device)
        self.weights_L = torch.tensor(weights, dtype=torch.float32, device=device)

    def targets(self, labels_B: Tensor) -> Tensor:
        """The superclass of every clip at every headed stack: int64 [L, B]."""
        return self.assignments_LK[:, labels_B]

    def of_stacks(self, scores: Sequence[Tensor], labels_B: Tensor) -> Tensor:
        """Mean cross-entropy of every headed stack: float32 [L].

        Args:
            scores: one ``scores_BS`` per headed stack, before softmax.
            labels_B: int64 original classes.
        """
        pairs = zip(scores, self.targets(labels_B), strict=True)
        return torch.stack([F.cross_entropy(scores_BS.float(), targets_B) for scores_BS, targets_B in pairs])

    def total(self, losses_L: Tensor) -> Tensor:
        """The weighted sum that is minimised: float32 scalar."""
        return self.weights_L @ losses_L
