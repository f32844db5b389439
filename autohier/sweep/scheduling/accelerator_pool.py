"""Sharing accelerators among the stages that train: who gets how many, chosen again after every epoch.

The rules are those of the real sweep and of simulated ones:

- Every stage that can train gets one accelerator before any stage gets a second one; those that came first,
  first. Stages that a trial waits for come before those that are trained ahead of need.
- What is idle is lent to stages up to the width where scaling stops paying.
- A stage keeps its accelerators for a whole epoch. At each epoch checkpoint it gives back what others wait
  for, or takes what is idle.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True, order=True)
class Accelerator:
    """An accelerator of a cluster, or a share of one that a stage may hold."""

    machine: str
    index: int


@dataclass(slots=True)
class _Claim:
    """A stage that trains or waits."""

    ahead: bool
    order: int
    limit: int
    held: list[Accelerator]

    @property
    def rank(self) -> tuple[bool, int]:
        return self.ahead, self.order


class AcceleratorPool:
    """The accelerators of a sweep and the stages that hold them.

    Every change costs time in the number of stages and accelerators. All methods that may give accelerators
    to waiting stages return those stages; each trains at once with what `held` returns.

    Args:
        accelerators: of the cluster.
        max_width: largest number that one stage is given.
        min_width: number that every stage needs to train.
    """

    def __init__(
        self, accelerators: Iterable[Accelerator], *, max_width: int = 1, min_width: int = 1
    ) -> None:
        self._free = sorted(accelerators)
        self._all = set(self._free)
        self._claims: dict[Hashable, _Claim] = {}
        self._order = count()
        self._min_width = min_width
        self._max_width = max(max_width, min_width)

    @property
    def capacity(self) -> int:
        """Number of accelerators in the pool."""
        return len(self._all)

    @property
    def num_idle(self) -> int:
        """Number of accelerators that no stage holds."""
        return len(self._free)

    @property
    def waiting(self) -> Sequence[Hashable]:
        """Stages that wait, in the order in which they will be served."""
        waiting = [stage for stage, claim in self._claims.items() if not claim.held]
        return sorted(waiting, key=lambda stage: self._claims[stage].rank)

    def held(self, stage: Hashable) -> tuple[Accelerator, ...]:
        """Return the accelerators of a stage; none while it waits."""
        return tuple(self._claims[stage].held)

    def claim(
        self, stage: Hashable, *, ahead: bool = False, limit: int | None = None
    ) -> tuple[Hashable, ...]:
        """Add a stage that can train.

        Args:
            stage: its name.
            ahead: True for a stage that no trial waits for yet. It uses what would be idle.
            limit: largest number that is of use to it; it gets the smallest width all the same.
        """
        largest = self._max_width if limit is None else max(min(limit, self._max_width), self._min_width)
        self._claims[stage] = _Claim(ahead, next(self._order), largest, [])
        return self._serve()

    def need(self, stage: Hashable) -> tuple[Hashable, ...]:
        """Note that a trial waits now for a stage that is trained ahead."""
        self._claims[stage].ahead = False
        return self._serve()

    def release(self, stage: Hashable) -> tuple[Hashable, ...]:
        """Take back the accelerators of a stage that ended or stopped."""
        self._give_back(self._claims.pop(stage).held)
        return self._serve()

    def rechoose(self, stage: Hashable) -> tuple[Hashable, ...]:
        """Choose the width of a training stage again, at its epoch checkpoint.

        Afterwards it may hold more, fewer or other accelerators, or none, if it must wait.
        """
        claim = self._claims[stage]
        lost = [each for each in claim.held if each not in self._all]
        claim.held = [each for each in claim.held if each in self._all]
        width = self._wanted_width(claim)
        if lost and len(claim.held) < self._min_width:
            width = 0
        if width < len(claim.held):
            kept = _together(claim.held, width)
            self._give_back(each for each in claim.held if each not in kept)
            claim.held = kept
        served = self._serve()
        if claim.held and not self.waiting:
            more = min(self._wanted_width(claim) - len(claim.held), len(self._free))
            self._give(claim, max(more, 0))
        return tuple(each for each in served if each != stage)

    def add(self, accelerators: Iterable[Accelerator]) -> tuple[Hashable, ...]:
        """Add the accelerators of a machine that joined."""
        new = set(accelerators) - self._all
        self._all |= new
        # A stage may still hold one that left and is back before its next epoch checkpoint.
        self._give_back(new - {each for claim in self._claims.values() for each in claim.held})
        return self._serve()

    def remove(self, accelerators: Iterable[Accelerator]) -> tuple[Hashable, ...]:
        """Remove the accelerators of a machine that left; return the stages that hold some of them.

        Those lose them at `rechoose` or `release`.
        """
        left = set(accelerators)
        self._all -= left
        self._free = [each for each in self._free if each in self._all]
        return tuple(stage for stage, claim in self._claims.items() if not left.isdisjoint(claim.held))

    def _wanted_width(self, claim: _Claim) -> int:
        """Return the width of a training stage that may choose now.

        While others wait, shares are rounded down, so that what is given back serves them.
        """
        waiting = [self._claims[stage] for stage in self.waiting]
        if claim.ahead and sum(not each.ahead for each in waiting) * self._min_width > len(self._free):
            return 0
        return min(self._share(round_up=not waiting), claim.limit)

    def _share(self, *, round_up: bool) -> int:
        """Return the width of every stage if all had the same."""
        shares = len(self._claims) * self._min_width
        number = -(-self.capacity // shares) if round_up else self.capacity // shares
        return min(max(number, 1) * self._min_width, self._max_width)

    def _serve(self) -> tuple[Hashable, ...]:
        """Give accelerators to waiting stages; return those that got some."""
        served = []
        waiting = self.waiting
        for position, stage in enumerate(waiting):
            if len(self._free) < self._min_width:
                break
            claim = self._claims[stage]
            behind = len(waiting) - position - 1
            surplus = max(len(self._free) - behind * self._min_width, self._min_width)
            self._give(claim, min(surplus, self._share(round_up=True), claim.limit))
            served.append(stage)
        return tuple(served)

    def _give(self, claim: _Claim, number: int) -> None:
        """Give idle accelerators to a stage: of its own machines first, then of those with most idle ones."""
        if number <= 0:
            return
        own = {each.machine for each in claim.held}
        idle: dict[str, int] = {}
        for each in self._free:
            idle[each.machine] = idle.get(each.machine, 0) + 1
        chosen = sorted(
            self._free,
            key=lambda each: (each.machine not in own, *_fit(idle[each.machine], number), each),
        )[:number]
        claim.held = sorted([*claim.held, *chosen])
        taken = set(chosen)
        self._free = [each for each in self._free if each not in taken]

    def _give_back(self, accelerators: Iterable[Accelerator]) -> None:
        self._free = sorted({*self._free, *(each for each in accelerators if each in self._all)})


def _fit(num_idle: int, number: int) -> tuple[bool, int]:
    """Order machines: the one that fits best comes first, then the one that gives most."""
    return (False, num_idle) if num_idle >= number else (True, -num_idle)


def _together(held: Sequence[Accelerator], width: int) -> list[Accelerator]:
    """Return the accelerators to keep: those on the machines with most of them."""
    number = {machine: sum(each.machine == machine for each in held) for machine in {e.machine for e in held}}
    return sorted(sorted(held, key=lambda each: (-number[each.machine], each))[:width])
