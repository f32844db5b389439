"""Evaluation as HAC tests: softmax probabilities averaged over several frame sets of a clip.

Legend: N clips of a part, B clips of a batch, K classes, S superclasses of one stack, L headed stacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from autohier.core.training.feed import Feed, Part
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import Evaluation


def evaluate(
    network: nn.Module,
    feed: Feed,
    part: Part,
    loss: HierarchicalLoss,
    *,
    num_sets: int,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
) -> Evaluation:
    """Score a network on one part of the split; costs ``num_sets`` forward passes over it.

    Args:
        network: maps clips to one ``scores_BS`` per headed stack; left in evaluation mode.
        feed: where the clips come from.
        part: "train", "validation" or "test".
        loss: the superclasses each headed stack is scored in, and their weights.
        num_sets: frame sets whose probabilities are averaged (HAC: five).
        autocast: opens the precision to compute in.
        micro_batches: parts that each batch is scored in.
    """
    stacks, labels_N = predict(
        network, feed, part, num_sets=num_sets, autocast=autocast, micro_batches=micro_batches
    )
    return _score(stacks, labels_N, loss)


@torch.no_grad()
def predict(
    network: nn.Module,
    feed: Feed,
    part: Part,
    *,
    num_sets: int,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
) -> tuple[list[Tensor], Tensor]:
    """Probabilities of the clips of one part; costs ``num_sets`` forward passes over it.

    Args:
        network: maps clips to one ``scores_BS`` per headed stack; left in evaluation mode.
        feed: where the clips come from.
        part: "train", "validation" or "test".
        num_sets: frame sets whose probabilities are averaged (HAC: five).
        autocast: opens the precision to compute in.
        micro_batches: parts that each batch is scored in.

    Returns:
        One float32 ``probabilities_NS`` per headed stack, the last in the original classes, and int64
        ``labels_N``; on the device, in the order of the split.
    """
    network.eval()
    sums: list[Tensor] = []
    for set_index in range(num_sets):
        stacks: list[list[Tensor]] = []
        labels = []
        for batch in feed.evaluation_set(part, set_index, num_sets):
            for clips_BCTHW, labels_B in split_batch(*batch, micro_batches):
                with autocast():
                    scores = network(clips_BCTHW)
                stacks.append([scores_BS.float().softmax(dim=1) for scores_BS in scores])
                labels.append(labels_B)
        of_set = [torch.cat(batches) for batches in zip(*stacks, strict=True)]
        sums = [total + new for total, new in zip(sums, of_set, strict=True)] if sums else of_set
    return [total / num_sets for total in sums], torch.cat(labels)


def split_batch(clips_BCTHW: Tensor, labels_B: Tensor, number: int) -> list[tuple[Tensor, Tensor]]:
    """Cut a batch into parts of equal size, the last one possibly smaller; no more than it has clips."""
    return list(zip(clips_BCTHW.chunk(number), labels_B.chunk(number), strict=True))


def _score(probabilities: Sequence[Tensor], labels_N: Tensor, loss: HierarchicalLoss) -> Evaluation:
    smallest = torch.finfo(torch.float32).tiny
    losses, accuracies = [], []
    for probabilities_NS, targets_N in zip(probabilities, loss.targets(labels_N), strict=True):
        of_target_N = probabilities_NS.gather(1, targets_N[:, None]).clamp_min(smallest)
        losses.append(-of_target_N.log().mean())
        accuracies.append(int((probabilities_NS.argmax(dim=1) == targets_N).sum()) / len(targets_N))
    return Evaluation(
        loss=float(loss.total(torch.stack(losses))),
        stack_accuracies=tuple(accuracies),
        confusion_KK=_confusion(labels_N, probabilities[-1].argmax(dim=1), loss.num_classes),
    )


def _confusion(true_N: Tensor, predicted_N: Tensor, num_classes: int) -> npt.NDArray[np.int64]:
    cells = (true_N * num_classes + predicted_N).bincount(minlength=num_classes**2)
    confusion_KK: npt.NDArray[np.int64] = cells.reshape(num_classes, num_classes).cpu().numpy()
    return confusion_KK
