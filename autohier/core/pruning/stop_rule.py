"""The stop rule: when a chain of pruning passes ends, and which of its passes is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autohier.errors import InputError


@dataclass(frozen=True, slots=True)
class StopRule:
    """Stop after ``patience`` consecutive bad passes (HAC 3.4: two).

    With a_0 the accuracy of the unpruned model, pass k is bad where a_k < max(a_0 .. a_{k-1}). HAC compares
    with "the best"; of its 16 printed chains 14 end where this rule stops. The other two hold a tie with the
    pass before, which ``ties`` reads in one of two ways:

    * ``"drop"``: such a pass is bad as any other below the best (the formal rule, 14 of 16);
    * ``"hold"``: it counts for nothing; the run of bad passes neither grows nor ends (15 of 16).

    Args:
        patience: consecutive bad passes that end the chain.
        ties: what a pass counts for that equals the pass before and lies below the best.

    Raises:
        InputError: where an argument lies outside its range.
    """

    patience: int = 2
    ties: Literal["drop", "hold"] = "drop"

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise InputError("the patience of a stop rule must be at least 1", got=self.patience)
        if self.ties not in ("drop", "hold"):
            raise InputError("ties must be 'drop' or 'hold'", got=repr(self.ties))

    def should_stop(self, accuracies: Sequence[float]) -> bool:
        """Whether the chain ends with its last pass, or has ended before.

        Args:
            accuracies: of the unpruned model and of every pass so far, in order.

        Raises:
            InputError: where there is no accuracy, or one is not a number.
        """
        _check(accuracies)
        best = previous = accuracies[0]
        num_bad = 0
        for accuracy in accuracies[1:]:
            if accuracy >= best:
                num_bad = 0
            elif accuracy != previous or self.ties == "drop":
                num_bad += 1
            if num_bad == self.patience:
                return True
            best, previous = max(best, accuracy), accuracy
        return False

    def best_pass(self, accuracies: Sequence[float]) -> int:
        """The pass to keep: the earliest of the most accurate; 0 is the unpruned model.

        Args:
            accuracies: of the unpruned model and of every pass, in order.

        Raises:
            InputError: where there is no accuracy, or one is not a number.
        """
        _check(accuracies)
        return max(range(len(accuracies)), key=accuracies.__getitem__)


def _check(accuracies: Sequence[float]) -> None:
    if not accuracies or any(math.isnan(accuracy) for accuracy in accuracies):
        raise InputError(
            "a chain must begin with the unpruned model's accuracy and hold numbers", got=list(accuracies)
        )
