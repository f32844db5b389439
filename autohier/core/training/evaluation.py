"""Evaluation as in HAC: softmax probabilities averaged over several frame sets of a clip.

Legend: N clips of a part, B clips of a batch, K classes, S superclasses of one level, L heads, P pathways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from autohier.core.training.data_loader import DataLoader, Part
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import NUM_TOP, Evaluation
from autohier.core.training.replicas import SOLO, Replicas
from autohier.data.inputs.named import ClipBatch, split_clips
from autohier.data.inputs.share import Share
from autohier.models.hierarchical import HierarchicalRecognizer


def evaluate(
    network: nn.Module,
    data_loader: DataLoader,
    part: Part,
    loss: HierarchicalLoss,
    *,
    num_sets: int,
    flip: bool = False,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
    replicas: Replicas = SOLO,
    by_pathway: bool = False,
) -> Evaluation:
    """Evaluate a network on one part of the split, with a forward pass over it for every view.

    Args:
        network: maps clips to one ``scores_BS`` per head; left in evaluation mode.
        data_loader: yields the clips.
        part: "train", "validation" or "test".
        loss: superclasses of each head, and loss weights.
        num_sets: number of frame sets whose probabilities are averaged (HAC: five).
        flip: True evaluates each frame set mirrored, too, and averages over both.
        autocast: returns the context manager of the precision to compute in.
        micro_batches: number of parts that each batch is computed in.
        replicas: processes that evaluate the part together; each gets the scores of all clips.
        by_pathway: True also evaluates the class head of each pathway alone, if there are several.
    """
    evaluated, names = with_pathways(network) if by_pathway else (network, ())
    probabilities, labels_N = predict(
        evaluated,
        data_loader,
        part,
        num_sets=num_sets,
        flip=flip,
        autocast=autocast,
        micro_batches=micro_batches,
        replicas=replicas,
    )
    levels = probabilities[: len(probabilities) - len(names)]
    own = zip(names, probabilities[len(levels) :], strict=True)
    accuracies = {name: _share(pathway_NK.argmax(dim=1) == labels_N) for name, pathway_NK in own}
    return replace(_score(levels, labels_N, loss), pathway_accuracies=accuracies)


def with_pathways(network: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """Return a network whose last scores are those of the classes by each pathway, and the pathways' names.

    A network with one pathway stays as it is, and has no names.
    """
    if not isinstance(network, HierarchicalRecognizer) or len(network.pathways) == 1:
        return network, ()
    return _WithPathways(network), tuple(pathway.name for pathway in network.pathways)


class _WithPathways(nn.Module):
    """Network whose scores of every level are followed by the class scores of each pathway."""

    def __init__(self, network: HierarchicalRecognizer) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: ClipBatch) -> list[Tensor]:
        """Return one ``scores_BS`` per level, then one ``scores_BK`` per pathway."""
        levels, pathways = self.network.forward_pathways(batch)
        return [*levels, *pathways]


@torch.no_grad()
def predict(
    network: nn.Module,
    data_loader: DataLoader,
    part: Part,
    *,
    num_sets: int,
    flip: bool = False,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
    replicas: Replicas = SOLO,
) -> tuple[list[Tensor], Tensor]:
    """Return the probabilities of one part's clips, with a forward pass over it for every view.

    Args:
        network: maps clips to one ``scores_BS`` per head; left in evaluation mode.
        data_loader: yields the clips.
        part: "train", "validation" or "test".
        num_sets: number of frame sets whose probabilities are averaged (HAC: five).
        flip: True evaluates each frame set mirrored, too, and averages over both.
        autocast: returns the context manager of the precision to compute in.
        micro_batches: number of parts that each batch is computed in.
        replicas: processes that evaluate the part together; each gets the scores of all clips.

    Returns:
        One float32 ``probabilities_NS`` per head, the last in the original classes, and int64
        ``labels_N``; on the device, in the order of the split.
    """
    network.eval()
    share = Share(replicas.rank, replicas.width)
    sums: list[Tensor] = []
    views = [
        (index, mirrored) for index in range(num_sets) for mirrored in ((False, True) if flip else (False,))
    ]
    for set_index, mirrored in views:
        heads: list[list[Tensor]] = []
        labels = []
        batches = data_loader.evaluation_set(part, set_index, num_sets, mirrored=mirrored, share=share)
        for batch in batches:
            for clips_B, labels_B in split_batch(*batch, micro_batches):
                with autocast():
                    scores = network(clips_B)
                heads.append([scores_BS.float().softmax(dim=1) for scores_BS in scores])
                labels.append(labels_B)
        set_NS = [torch.cat(batches) for batches in zip(*heads, strict=True)]
        sums = [total + new for total, new in zip(sums, set_NS, strict=True)] if sums else set_NS
    # A rank without clips has computed one of the others.
    own = slice(len(share.slice_of(data_loader.num_clips(part))))
    labels_N = replicas.gather(torch.cat(labels)[own])
    return [replicas.gather((total / len(views))[own]) for total in sums], labels_N


def split_batch(clips_B: ClipBatch, labels_B: Tensor, number: int) -> list[tuple[ClipBatch, Tensor]]:
    """Split a batch into parts of equal size, the last possibly smaller; at most one part per clip."""
    return list(zip(split_clips(clips_B, number), labels_B.chunk(number), strict=True))


def _score(probabilities: Sequence[Tensor], labels_N: Tensor, loss: HierarchicalLoss) -> Evaluation:
    smallest = torch.finfo(torch.float32).tiny
    losses, accuracies, top5_accuracies, mean_class_accuracies = [], [], [], []
    targets_LN = loss.targets(labels_N)
    for probabilities_NS, targets_N in zip(probabilities, targets_LN, strict=True):
        own_N1 = probabilities_NS.gather(1, targets_N[:, None])
        losses.append(-own_N1.clamp_min(smallest).log().mean())
        right_N = probabilities_NS.argmax(dim=1) == targets_N
        accuracies.append(_share(right_N))
        top5_accuracies.append(_share(_num_ahead(probabilities_NS, targets_N, own_N1) < NUM_TOP))
        mean_class_accuracies.append(_mean_class_accuracy(targets_N, right_N))
    return Evaluation(
        loss=float(loss.total(torch.stack(losses))),
        stack_accuracies=tuple(accuracies),
        confusion_KK=_confusion(targets_LN[-1], probabilities[-1].argmax(dim=1), loss.num_targets),
        stack_top5_accuracies=tuple(top5_accuracies),
        stack_mean_class_accuracies=tuple(mean_class_accuracies),
    )


def _share(right_N: Tensor) -> float:
    return int(right_N.sum()) / len(right_N)


def _num_ahead(probabilities_NS: Tensor, targets_N: Tensor, own_N1: Tensor) -> Tensor:
    """Return the number of superclasses that are guessed before the clip's own: int64 [N].

    Of equal probabilities, the first superclass is guessed first. A probability that is NaN counts as ahead.
    """
    superclasses_S = torch.arange(probabilities_NS.shape[1], device=probabilities_NS.device)
    tied_NS = (probabilities_NS == own_N1) & (superclasses_S < targets_N[:, None])
    return (~(probabilities_NS <= own_N1) | tied_NS).sum(dim=1)


def _mean_class_accuracy(targets_N: Tensor, right_N: Tensor) -> float:
    """Return the mean accuracy over the superclasses that have clips."""
    sizes_S = targets_N.bincount()
    num_right_S = targets_N[right_N].bincount(minlength=len(sizes_S))
    seen_S = sizes_S > 0
    return float((num_right_S[seen_S].double() / sizes_S[seen_S].double()).mean())


def _confusion(true_N: Tensor, predicted_N: Tensor, num_classes: int) -> npt.NDArray[np.int64]:
    cells = (true_N * num_classes + predicted_N).bincount(minlength=num_classes**2)
    confusion_KK: npt.NDArray[np.int64] = cells.reshape(num_classes, num_classes).cpu().numpy()
    return confusion_KK
