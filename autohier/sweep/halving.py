"""Successive halving between trials: whether a trial is good enough, so far, to go on.

Asynchronous, after ASHA (Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020, algorithm
2): a trial that reaches a rung goes on where it is among the best that have reached it. Two things differ.
Rungs compare like with like: epochs within pass 2, then the best of the passes so far, each among settings of
one seed, and a stage that several trials share counts once. And the share that goes on is that of the
rungs' costs, so that all rungs cost the same together: 1/reduction_factor within pass 2, where epochs are
multiplied, and more from pass to pass, where a few epochs are added; what pruning costs is counted from the
end of pass 2, which many chains share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the judge's process starts without what these load
    from autohier.settings.choice import Choice
    from autohier.settings.space import Space

_FEWEST_EPOCHS = 2
"""Below these a recognizer has not yet learnt what its superclasses are worth."""

Arm = tuple[object, ...]
"""What a setting's value at a rung depends on: settings that agree on it share the stage."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs of a sweep: steps 0, 1, ... of a trial's intermediate values."""

    epochs: tuple[int, ...]
    """Epochs of pass 2 after which a trial is judged, ascending; step i is after epochs[i]."""
    shares: tuple[float, ...]
    """Share of the settings that go on after each step; after the last one there is nothing left to spare."""

    def pass_step(self, pass_index: int) -> int:
        """The step of pass 2 (0) or of the k-th pruning pass."""
        return len(self.epochs) + pass_index

    def arm(self, choice: Choice, step: int) -> Arm:
        """What of a choice its value at a step depends on."""
        return choice.prefix if step <= len(self.epochs) else choice.chain


def open_ladder(space: Space, *, stopping: bool) -> Ladder:
    """The rungs that the training recipe of a space makes; without stopping, only what is measured anyway.

    With folds a trial is judged from the end of pass 2 on: an epoch within it is of one fold, and misleads.
    """
    factor, epochs = space.search.reduction_factor, space.pass_2.epochs
    within_pass_2 = stopping and space.num_folds == 1
    rungs: list[int] = []
    while within_pass_2 and (rung := round(epochs / factor ** (len(rungs) + 1))) >= _FEWEST_EPOCHS:
        rungs.append(rung)
    rungs.reverse()
    to_pass_2 = [*rungs, epochs, epochs + space.pruning.epochs]
    from_pass_2 = range(1, space.search.max_passes + 1)
    shares = [here / further for costs in (to_pass_2, from_pass_2) for here, further in pairwise(costs)]
    num_judged = len(rungs) + space.search.max_passes
    return Ladder(tuple(rungs), (*(shares[:num_judged] if stopping else [1.0] * num_judged), 1.0))


class Halving:
    """Keeps what was reached at every rung and judges who goes on.

    Args:
        ladder: the rungs.
        reached: what earlier trials of the sweep reached, by step and arm.
    """

    def __init__(self, ladder: Ladder, reached: Mapping[tuple[int, Arm], float]) -> None:
        self._ladder = ladder
        self._reached: list[dict[Arm, float]] = [{} for _ in ladder.shares]
        for (step, arm), value in reached.items():
            self._reached[step][arm] = value
        self._passed: set[tuple[int, tuple[object, ...]]] = set()

    def judge(self, choice: Choice, step: int, value: float) -> str | None:
        """Enter what a trial reached; why it should stop, or None where it goes on.

        A setting that went on once goes on, as long as this judge lives: its trial may be run again when its
        process has died.

        Costs a look at every setting that has reached the step.
        """
        return self.judge_arm(self._ladder.arm(choice, step), choice.effect, step, value)

    def judge_arm(self, arm: Arm, effect: tuple[object, ...], step: int, value: float) -> str | None:
        """The same, told of a choice only what it is judged by."""
        here = self._reached[step]
        here[arm] = value
        share = self._ladder.shares[step]
        if _place(here, arm) < _num_kept(len(here), share) or (step, effect) in self._passed:
            self._passed.add((step, effect))
            return None
        return f"{value:.2%} at rung {step + 1} is not among the best {share:.0%} of {len(here)} settings"


def _place(reached: Mapping[Arm, float], arm: Arm) -> int:
    """How many are better, or as good and were there before: of equals, no more go on than of others."""
    earlier = list(reached).index(arm)
    return sum(
        value > reached[arm] or (value == reached[arm] and place < earlier)
        for place, value in enumerate(reached.values())
    )


def _num_kept(number: int, share: float) -> int:
    return max(1, math.ceil(share * number - 1e-9))
