"""The multi-level loss of HAC: a weighted cross-entropy after every head.

Legend: B clips, K classes, S superclasses of one level, P pathways, L levels, coarse to fine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autohier.core.hierarchy.hierarchy import Hierarchy


class HierarchicalLoss:
    """Cross-entropy in the superclasses of each level, and their weighted sum (HAC section 3.3).

    The weights are used as printed, not normalized. The cross-entropy of a level is the weighted sum of those
    of its pathways.

    Args:
        hierarchy: superclasses of every level.
        weights: loss weight of every level.
        device: of the network.
        label_smoothing: share of each target that is spread evenly over all superclasses of its level.
        class_sizes_K: number of training clips of every class, to weigh all superclasses of a level equally:
            a clip of a superclass with n of N clips weighs N / (S n), where S superclasses have clips. None
            weighs all clips equally.
        pathway_weights: loss weight of every pathway if there are several; none weighs each 1.
    """

    def __init__(
        self,
        hierarchy: Hierarchy,
        weights: Sequence[float],
        device: torch.device,
        *,
        label_smoothing: float = 0.0,
        class_sizes_K: npt.NDArray[np.int64] | None = None,
        pathway_weights: Sequence[float] = (),
    ) -> None:
        self.num_targets = hierarchy.num_targets
        self.assignments_LK = torch.tensor(hierarchy.assignments, dtype=torch.int64, device=device)
        self.weights_L = torch.tensor(weights, dtype=torch.float32, device=device)
        self._pathway_weights_P = torch.tensor(pathway_weights, dtype=torch.float32, device=device)
        self._label_smoothing = label_smoothing
        self._clip_weights_LK: Tensor | None = None
        if class_sizes_K is not None:
            balanced = [_balanced_weights(assignment, class_sizes_K) for assignment in hierarchy.assignments]
            self._clip_weights_LK = torch.tensor(np.array(balanced), dtype=torch.float32, device=device)

    def targets(self, labels_B: Tensor) -> Tensor:
        """Return the superclass of every clip at every level: int64 [L, B]."""
        return self.assignments_LK[:, labels_B]

    def of_heads(self, scores: Sequence[Tensor], labels_B: Tensor) -> Tensor:
        """Return the mean of the clips' weighted cross-entropies at every level: float32 [L].

        Args:
            scores: one ``scores_BS`` or, of several pathways, ``scores_BSP`` per level, before softmax.
            labels_B: int64 original classes.
        """
        pairs = zip(scores, self.targets(labels_B), strict=True)
        if self._clip_weights_LK is None:
            return torch.stack([self._cross_entropy(*pair, "mean") for pair in pairs])
        losses_LB = torch.stack([self._cross_entropy(*pair, "none") for pair in pairs])
        return (losses_LB * self._clip_weights_LK[:, labels_B]).mean(dim=1)

    def total(self, losses_L: Tensor) -> Tensor:
        """Return the weighted sum of the levels' losses, which training minimizes: float32 scalar."""
        return self.weights_L.to(losses_L.dtype) @ losses_L

    def _cross_entropy(self, scores: Tensor, targets_B: Tensor, reduction: str) -> Tensor:
        smoothing = self._label_smoothing
        # At least float32: autocast computes scores in less.
        wide = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if wide.ndim == 2:
            return F.cross_entropy(wide, targets_B, reduction=reduction, label_smoothing=smoothing)
        targets_BP = targets_B[:, None].expand(-1, wide.shape[2])
        losses_BP = F.cross_entropy(wide, targets_BP, reduction="none", label_smoothing=smoothing)
        if len(self._pathway_weights_P):
            losses_BP = losses_BP * self._pathway_weights_P.to(losses_BP.dtype)
        losses_B = losses_BP.sum(dim=1)
        return losses_B.mean() if reduction == "mean" else losses_B


def _balanced_weights(
    assignment: Sequence[int], class_sizes_K: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the weight of a clip of every class, at one level; 0 for superclasses without clips."""
    sizes_S = np.bincount(assignment, weights=class_sizes_K).astype(np.float64)
    seen_S = sizes_S > 0
    weights_S = np.zeros(len(sizes_S))
    weights_S[seen_S] = sizes_S.sum() / (seen_S.sum() * sizes_S[seen_S])
    return weights_S[list(assignment)]
