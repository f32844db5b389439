"""Hierarchical recognizer: linear heads on the last stacks of a recognizer (HAC section 3.3).

Legend: B clips, C channels, S superclasses of one stack.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.recognizer import Recognizer


class HierarchicalRecognizer(nn.Module):
    """Recognizer with a linear head on each of its last stacks; the last head scores the classes.

    A head is named after its stack (``heads.stack4``). So the class head has the same name with and without
    superclass heads, and weights carry over from pass 1 to pass 2 by name. Heads are initialized back to
    front, so that a seed gives the same class head in both.

    Args:
        recognizer: network that the heads read.
        num_outputs: outputs of every head, front to back, e.g. (2, 6, 20, 60).

    Raises:
        InputError: if there are no heads, more heads than stacks, or a head without outputs.
    """

    def __init__(self, recognizer: Recognizer, num_outputs: Sequence[int]) -> None:
        super().__init__()
        num_stacks = len(recognizer.stack_channels)
        if not 1 <= len(num_outputs) <= num_stacks:
            raise InputError(
                f"a recognizer of {num_stacks} stacks carries 1 to {num_stacks} heads",
                got=len(num_outputs),
                hint=f"give at most {num_stacks - 1} superclass counts",
            )
        if min(num_outputs) < 1:
            raise InputError("every head must have at least one output", got=tuple(num_outputs))
        self.recognizer = recognizer
        self.num_outputs = tuple(num_outputs)
        self.dropout = nn.Dropout(0.0)
        """Dropout of the features before the heads; training sets its probability."""
        first = num_stacks - len(num_outputs)
        back_to_front = [
            (
                f"stack{first + index + 1}",
                nn.Linear(recognizer.stack_channels[first + index], num_outputs[index]),
            )
            for index in reversed(range(len(num_outputs)))
        ]
        self.heads = nn.ModuleDict(dict(reversed(back_to_front)))

    def forward(self, batch: Tensor) -> list[Tensor]:
        """Return one ``scores_BS`` per stack that has a head, front to back, before softmax."""
        features = self.recognizer.forward_stacks(batch)[-len(self.heads) :]
        return [
            head(self.dropout(feature_BC))
            for head, feature_BC in zip(self.heads.values(), features, strict=True)
        ]
