"""Stop rule: when a chain of pruning passes ends, and which pass is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autohier.errors import InputError


@dataclass(frozen=True, slots=True)
class StopRule:
    """Stop after ``patience`` consecutive bad passes (HAC 3.4: two).

    Let a_0 be the accuracy of the unpruned model. Pass k is bad if a_k < max(a_0 .. a_{k-1}). HAC compares
    with "the best"; of its 16 printed chains, 14 end at the pass at which this rule stops. The other two
    contain a tie with the pass before, for which ``ties`` has two interpretations:

    * ``"drop"``: the pass is bad, like any other below the best (the formal rule, 14 of 16);
    * ``"hold"``: the pass is ignored; the run of bad passes neither grows nor ends (15 of 16).

    Args:
        patience: number of consecutive bad passes that ends the chain.
        ties: how to count a pass that equals the pass before and is below the best.

    Raises:
        InputError: if an argument is outside its range.
    """

    patience: int = 2
    ties: Literal["drop", "hold"] = "drop"

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise InputError("the patience of a stop rule must be at least 1", got=self.patience)
        if self.ties not in ("drop", "hold"):
            raise InputError("ties must be 'drop' or 'hold'", got=repr(self.ties))

    def should_stop(self, accuracies: Sequence[float]) -> bool:
        """Return True if the chain ends with its last pass, or has ended before.

        Args:
            accuracies: accuracy of the unpruned model and of every pass so far, in order.

        Raises:
            InputError: if there is no accuracy, or one is NaN.
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

    def best_pass(self, accuracies: Sequence[float], allowed: Sequence[bool] = ()) -> int:
        """Return the index of the most accurate pass, the earliest of equals; 0 is the unpruned model.

        Args:
            accuracies: accuracy of the unpruned model and of every pass, in order.
            allowed: passes to choose from; if none is allowed, all are.

        Raises:
            InputError: if there is no accuracy, or one is NaN.
        """
        _check(accuracies)
        passes = [index for index, is_allowed in enumerate(allowed) if is_allowed]
        return max(passes or range(len(accuracies)), key=accuracies.__getitem__)


def _check(accuracies: Sequence[float]) -> None:
    if not accuracies or any(math.isnan(accuracy) for accuracy in accuracies):
        raise InputError(
            "a chain must begin with the unpruned model's accuracy and hold numbers", got=list(accuracies)
        )
