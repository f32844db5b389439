"""Hierarchical recognizer: linear heads on the features of a recognizer, one for each level of a hierarchy.

Legend: B clips, C channels, S superclasses of one level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from autohier.data.inputs.named import ClipBatch
from autohier.errors import InputError
from autohier.models.recognizer import Recognizer

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
        self.features = head_features(len(num_outputs), len(recognizer.stack_channels), placement)
        """Index of the stack whose feature each head reads."""
        if min(num_outputs) < 1:
            raise InputError("every head must have at least one output", got=self.num_outputs)
        self.dropout = nn.Dropout(0.0)
        """Dropout of the features before the heads; training sets its probability."""
        pairs = zip(self.features, self.num_outputs, strict=True)
        back_to_front = [
            (self._name(level), nn.Linear(recognizer.stack_channels[feature], size))
            for level, (feature, size) in reversed([*enumerate(pairs)])
        ]
        self.heads = nn.ModuleDict(dict(reversed(back_to_front)))

    def forward(self, batch: ClipBatch) -> list[Tensor]:
        """Return one ``scores_BS`` per head, coarse to fine, before softmax.

        Heads of one feature read the same channels of it after dropout.
        """
        features = self.recognizer.forward_stacks(batch)
        read = {feature: self.dropout(features[feature]) for feature in dict.fromkeys(self.features)}
        return [head(read[feature]) for head, feature in zip(self.heads.values(), self.features, strict=True)]

    def _name(self, level: int) -> str:
        feature = self.features[level]
        stack = f"stack{feature + 1}"
        return f"{stack}_level{level + 1}" if feature in self.features[level + 1 :] else stack


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
