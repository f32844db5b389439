"""Superclass counts in a coding that can only express ascending, allowed tuples.

A tuple of counts is coded by log fan-outs u in [0, 1]: u_1 places the first count between the smallest
and the largest allowed one on a log scale, every further u places its count between the previous one and
the largest. Decoding snaps to the nearest allowed count and leaves room for the levels still to come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from autohier.errors import InputError

CountRule = Literal["auto", "divisors", "balanced"]

_FEW_TUPLES = 10


def allowed_counts(
    num_classes: int, num_levels: int, rule: CountRule | Sequence[int] = "auto"
) -> tuple[int, ...]:
    """The counts a level may have, ascending.

    Args:
        num_classes: classes of the dataset.
        num_levels: superclass levels that need distinct counts.
        rule: "divisors" of the classes (equal superclasses, as HAC); "balanced" admits every count from 2
            to half the classes (sizes differ by one at most); "auto" takes divisors where they offer at
            least ten tuples; or the counts themselves, below the number of classes.

    Raises:
        InputError: where fewer counts are allowed than there are levels.
    """
    divisors = tuple(count for count in range(2, num_classes // 2 + 1) if num_classes % count == 0)
    balanced = tuple(range(2, num_classes // 2 + 1))
    few = math.comb(len(divisors), num_levels) < _FEW_TUPLES
    if not isinstance(rule, str):
        allowed = tuple(sorted({count for count in rule if 2 <= count < num_classes}))
    else:
        allowed = balanced if rule == "balanced" or (rule == "auto" and few) else divisors
    if len(allowed) < num_levels:
        raise InputError(
            f"{num_levels} ascending superclass counts must fit {num_classes} classes ({rule})",
            got=f"the counts {list(allowed)}",
            remedy=_remedy(num_classes, num_levels, allowed, balanced),
        )
    return allowed


def _remedy(num_classes: int, num_levels: int, allowed: Sequence[int], balanced: Sequence[int]) -> str:
    """What makes counts fit, without leaving a search without levels where that can be."""
    named = list(range(2, num_classes))
    lower = f"set search.levels to {len(allowed)}"
    if len(balanced) >= num_levels:
        return f"set search.counts to 'balanced'{f', or {lower}' if allowed else ''}"
    if len(named) >= num_levels:
        return f"name counts among {named} as search.counts{f', or {lower}' if allowed else ''}"
    if not named:
        return f"none can: {num_classes} classes are too few for superclasses"
    return f"at most {len(named)} can: set search.levels to {len(named)} and search.counts to {named}"


def decode_counts(fanouts: Sequence[float], allowed: Sequence[int]) -> tuple[int, ...]:
    """The ascending counts that log fan-outs in [0, 1] stand for; none where there are no fan-outs."""
    if not fanouts:
        return ()
    top = math.log(allowed[-1])
    counts: list[int] = []
    index = -1
    for level, fanout in enumerate(fanouts):
        base = math.log(allowed[max(index, 0)])
        target = base + fanout * (top - base)
        nearest = min(range(len(allowed)), key=lambda i: abs(math.log(allowed[i]) - target))
        room = len(allowed) - (len(fanouts) - level)
        index = min(max(nearest, index + 1), room)
        counts.append(allowed[index])
    return tuple(counts)


def encode_counts(counts: Sequence[int], allowed: Sequence[int]) -> tuple[float, ...]:
    """Log fan-outs that decode to the given counts.

    Raises:
        InputError: where a count is not allowed.
    """
    strangers = [count for count in counts if count not in allowed]
    if strangers:
        raise InputError(
            "superclass counts must be allowed ones", got=strangers, remedy=f"allowed are {list(allowed)}"
        )
    fanouts: list[float] = []
    base = allowed[0] if counts else 0
    for count in counts:
        span = math.log(allowed[-1] / base)
        fanouts.append(math.log(count / base) / span if span else 0.0)
        base = count
    return tuple(fanouts)
