"""Hierarchical recognizer: linear heads on the features of a recognizer, one for each level of a hierarchy.

Legend: B clips, C channels, S superclasses of one level, P pathways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor, nn

from autohier.data.inputs.named import ClipBatch
from autohier.errors import InputError
from autohier.models.recognizer import Pathway, Recognizer

HeadPlacement = Literal["stacks", "last"]
"""Features that the heads read: that of one stack each, the last ones of the network, or all the last."""


class HierarchicalRecognizer(nn.Module):
    """Recognizer with a linear head for each level; the last head scores the classes.

    A head is a pair of a feature and a level. With "stacks", the heads read the features of the last stacks,
    front to back (HAC section 3.3). With "last", all of them read the feature of the last stack, as
    multi-task networks do.

    The last head that reads a feature is named after its stack (``heads.stack4``), the others also after
    their level, counted from 1 at the coarsest (``heads.stack4_level1``). So the class head has the same name
    with and without superclass heads, and weights carry over from pass 1 to pass 2 by name. Heads are
    initialized back to front, so that a seed gives the same class head in both.

    If the recognizer has several pathways, each carries a head for every level on its own stacks, named after
    the pathway too (``heads.rgb_stack4``). Training reads the scores of every pathway; in evaluation they are
    one prediction, the weighted mean of the pathways' probabilities.

    Args:
        recognizer: network that the heads read.
        num_outputs: outputs of every head, coarse to fine, e.g. (2, 6, 20, 60).
        placement: features that the heads read.

    Raises:
        InputError: if there are no heads, more features to read than stacks, or a head without outputs.
    """

    def __init__(
        self, recognizer: Recognizer, num_outputs: Sequence[int], placement: HeadPlacement = "stacks"
    ) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.num_outputs = tuple(num_outputs)
        self.placement: HeadPlacement = placement
        self.pathways = recognizer.pathways()
        _check_pathways(self.pathways, len(recognizer.stack_channels))
        heads = _place_heads(self.pathways, len(num_outputs), placement)
        self.features = tuple(head.feature for head in heads)
        """Index of the stack whose feature each head reads."""
        if min(num_outputs) < 1:
            raise InputError("every head must have at least one output", got=self.num_outputs)
        self.dropout = nn.Dropout(0.0)
        """Dropout of the features before the heads; training sets its probability."""
        back_to_front = [
            (head.name, nn.Linear(recognizer.stack_channels[head.feature], num_outputs[head.level]))
            for head in reversed(heads)
        ]
        self.heads = nn.ModuleDict(dict(reversed(back_to_front)))

    @property
    def class_heads(self) -> dict[str, nn.Module]:
        """Class head of every pathway, by its name."""
        last = list(self.heads.values())[-len(self.pathways) :]
        return {pathway.name: head for pathway, head in zip(self.pathways, last, strict=True)}

    @property
    def pathway_weights(self) -> tuple[float, ...]:
        """Loss weight of every pathway."""
        return tuple(pathway.loss_weight for pathway in self.pathways)

    def forward(self, batch: ClipBatch) -> list[Tensor]:
        """Return the scores of every level, coarse to fine, before softmax.

        Heads of one feature read the same channels of it after dropout.

        Returns:
            One ``scores_BS`` per level. With several pathways, one ``scores_BSP`` per level in training, and
            in evaluation the logarithms of the mean probabilities, whose softmax are these.
        """
        scores, _ = self.forward_pathways(batch)
        return scores

    def forward_pathways(self, batch: ClipBatch) -> tuple[list[Tensor], list[Tensor]]:
        """Return what `forward` returns, and one ``scores_BK`` of the classes per pathway."""
        features = self.recognizer.forward_stacks(batch)
        read = {feature: self.dropout(features[feature]) for feature in dict.fromkeys(self.features)}
        pairs = zip(self.heads.values(), self.features, strict=True)
        scores = [head(read[feature]) for head, feature in pairs]
        number = len(self.pathways)
        if number == 1:
            return scores, scores[-1:]
        levels = [scores[start : start + number] for start in range(0, len(scores), number)]
        joined = [torch.stack(each, dim=2) if self.training else self._mean_of(each) for each in levels]
        return joined, levels[-1]

    def take_auxiliary_loss(self) -> Tensor | None:
        """Return the auxiliary loss of the recognizer; see `Recognizer.take_auxiliary_loss`."""
        return self.recognizer.take_auxiliary_loss()

    def _mean_of(self, scores: Sequence[Tensor]) -> Tensor:
        """Return the logarithm of the weighted mean of the pathways' probabilities, ``[B, S]``."""
        weights = [pathway.prediction_weight for pathway in self.pathways]
        logs = [
            scores_BS.log_softmax(dim=1) + math.log(weight / sum(weights))
            for scores_BS, weight in zip(scores, weights, strict=True)
        ]
        return torch.stack(logs, dim=2).logsumexp(dim=2)


@dataclass(frozen=True, slots=True)
class _Head:
    """Head of one pathway and level."""

    name: str
    feature: int
    level: int


def _place_heads(pathways: Sequence[Pathway], num_levels: int, placement: HeadPlacement) -> list[_Head]:
    """Return the heads level by level, coarse to fine, and of a level in the order of the pathways."""
    firsts = accumulate((pathway.num_stacks for pathway in pathways), initial=0)
    of_pathways = []
    for pathway, first in zip(pathways, firsts, strict=False):
        own = head_features(num_levels, pathway.num_stacks, placement)
        stacks = [f"{pathway.name}_stack{each + 1}" if pathway.name else f"stack{each + 1}" for each in own]
        names = [
            f"{stack}_level{level}" if stack in stacks[level:] else stack
            for level, stack in enumerate(stacks, start=1)
        ]
        of_pathways.append([_Head(name, first + own[level], level) for level, name in enumerate(names)])
    return [head for heads in zip(*of_pathways, strict=True) for head in heads]


def _check_pathways(pathways: Sequence[Pathway], num_stacks: int) -> None:
    names = [pathway.name for pathway in pathways]
    if sum(pathway.num_stacks for pathway in pathways) != num_stacks or len(set(names)) != len(names):
        raise InputError(
            f"pathways must have names of their own and share the {num_stacks} stacks of stack_channels",
            got=", ".join(f"{each.name!r} with {each.num_stacks}" for each in pathways) or "none",
            hint="fix `pathways` of the recognizer",
        )
    if len(names) > 1 and not all(names):
        raise InputError("each of several pathways must have a name", got=names)
    for pathway in pathways:
        if pathway.prediction_weight <= 0 or pathway.loss_weight < 0:
            raise InputError(
                f"the weights of pathway {pathway.name!r} must be positive",
                got=f"{pathway.loss_weight:g} in the loss, {pathway.prediction_weight:g} in the prediction",
            )


def head_features(num_heads: int, num_stacks: int, placement: HeadPlacement) -> tuple[int, ...]:
    """Return the index of the stack whose feature each head reads, coarse to fine.

    Raises:
        InputError: if there are no heads, or more heads than stacks although each stack carries one.
    """
    if placement == "last" and num_heads:
        return (num_stacks - 1,) * num_heads
    if not 1 <= num_heads <= num_stacks:
        raise InputError(
            f"a recognizer of {num_stacks} stacks carries 1 to {num_stacks} heads",
            got=num_heads,
            hint=f"give at most {num_stacks - 1} superclass counts, or put all heads on the last stack "
            "with pass_2.heads = 'last'",
        )
    return tuple(range(num_stacks - num_heads, num_stacks))
