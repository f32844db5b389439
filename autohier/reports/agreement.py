"""How well the superclasses that a sweep found agree with ones that are known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autohier.core.hierarchy.agreement import adjusted_rand_index
from autohier.errors import InputError
from autohier.records.reader import Records


@dataclass(frozen=True, slots=True)
class LevelAgreement:
    """One superclass level of the best trial against the reference level nearest in size."""

    num_superclasses: int
    num_reference: int
    adjusted_rand: float
    """1 for equal assignments, 0 for what chance gives."""


def best_agreement(records: Records, reference: Mapping[int, Sequence[int]]) -> tuple[LevelAgreement, ...]:
    """Adjusted Rand index of every superclass level of the best trial, front to back.

    Args:
        records: of one sweep.
        reference: known assignments of all classes, by their number of superclasses. A level is held
            against the one of its own count or, where there is none, of the nearest by ratio.

    Returns:
        One agreement per superclass level; none while no trial is complete.

    Raises:
        InputError: where there is no reference, or it does not assign the same classes.
    """
    if not reference:
        raise InputError("agreement needs at least one reference level", remedy="give known superclasses")
    ranked = records.ranked()
    if not ranked:
        return ()
    pass_2 = next(row for row in records.stages_of(ranked[0].trial) if row.kind == "pass-2")
    return tuple(_agreement(level, reference) for level in json.loads(pass_2.assignments)[:-1])


def _agreement(level: Sequence[int], reference: Mapping[int, Sequence[int]]) -> LevelAgreement:
    count = len(set(level))
    nearest = min(sorted(reference), key=lambda size: abs(math.log(size / count)))
    return LevelAgreement(count, nearest, adjusted_rand_index(level, reference[nearest]))


def agreement_text(records: Records, reference: Mapping[int, Sequence[int]]) -> str:
    """The agreement of the best trial's levels with the reference, in one sentence."""
    agreements = best_agreement(records, reference)
    if not agreements:
        return ""
    told = ", ".join(
        f"{level.num_superclasses} superclasses against {level.num_reference}: {level.adjusted_rand:.2f}"
        for level in agreements
    )
    return f"adjusted Rand index against the known superclasses (random assignments: about 0): {told}"
