"""Superclass counts, coded so that every code decodes to ascending, allowed counts.

A tuple of counts is coded by log fan-outs u in [0, 1]. On a log scale, u_1 places the first count between the
smallest and the largest allowed one; every further u places its count between the previous count and the
largest. Decoding rounds to the nearest allowed count that leaves enough larger counts for the next levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from autohier.errors import InputError
from autohier.text import plural

CountRule = Literal["auto", "divisors", "balanced"]

_FEW_TUPLES = 10
_FEWEST = 2


def allowed_counts(
    num_classes: int, num_levels: int, rule: CountRule | Sequence[int] = "auto"
) -> tuple[int, ...]:
    """Return the superclass counts that a level may have, ascending.

    Args:
        num_classes: classes of the dataset.
        num_levels: superclass levels that need distinct counts.
        rule: "divisors" of the number of classes (superclasses of equal size, as in HAC); "balanced", every
            count from 2 to half the classes (sizes differ by at most 1); "auto", divisors if they give at
            least ten tuples, else balanced; or the counts themselves, below the number of classes.

    Raises:
        InputError: if fewer counts are allowed than there are levels, or a given one is not below the number
            of classes.
    """
    divisors = tuple(count for count in range(2, num_classes // 2 + 1) if num_classes % count == 0)
    balanced = tuple(range(2, num_classes // 2 + 1))
    few = math.comb(len(divisors), num_levels) < _FEW_TUPLES
    if not isinstance(rule, str):
        if too_high := [count for count in rule if count >= num_classes]:
            raise InputError(
                f"counts in search.counts must be below the {num_classes} classes, which the last stack has",
                got=", ".join(map(str, too_high)),
                hint="leave them out, and lower search.levels if too few remain",
            )
        allowed = tuple(sorted({count for count in rule if count >= _FEWEST}))
    else:
        allowed = balanced if rule == "balanced" or (rule == "auto" and few) else divisors
    if len(allowed) < num_levels:
        raise InputError(
            f"{plural(num_levels, 'ascending superclass count')} must fit {num_classes} classes "
            f"({rule if isinstance(rule, str) else 'search.counts'})",
            got=f"the counts {', '.join(map(str, allowed))}" if allowed else "no count",
            hint=_hint(num_classes, num_levels, allowed, balanced),
        )
    return allowed


def _hint(num_classes: int, num_levels: int, allowed: Sequence[int], balanced: Sequence[int]) -> str:
    """Return a change that makes the counts fit and, if possible, keeps at least one level."""
    possible = list(range(2, num_classes))
    lower = f"set search.levels to {len(allowed)}"
    if len(balanced) >= num_levels:
        return f"set search.counts to 'balanced'{f', or {lower}' if allowed else ''}"
    if len(possible) >= num_levels:
        return f"name counts among {possible} as search.counts{f', or {lower}' if allowed else ''}"
    if not possible:
        return f"none can: {num_classes} classes are too few for superclasses"
    return (
        f"at most {len(possible)} can: set search.levels to {len(possible)} and search.counts to {possible}"
    )


def decode_counts(fanouts: Sequence[float], allowed: Sequence[int]) -> tuple[int, ...]:
    """Return the ascending counts that log fan-outs in [0, 1] code; none for no fan-outs."""
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
    """Return log fan-outs that decode to the given counts.

    Raises:
        InputError: if a count is not allowed.
    """
    not_allowed = [count for count in counts if count not in allowed]
    if not_allowed:
        raise InputError(
            "superclass counts must be allowed ones", got=not_allowed, hint=f"allowed are {list(allowed)}"
        )
    fanouts: list[float] = []
    base = allowed[0] if counts else 0
    for count in counts:
        span = math.log(allowed[-1] / base)
        fanouts.append(math.log(count / base) / span if span else 0.0)
        base = count
    return tuple(fanouts)
