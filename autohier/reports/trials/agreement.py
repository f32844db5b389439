"""Agreement of the superclasses that a sweep found with the superclasses of the dataset."""

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
    """Agreement of one superclass level of the best trial with the reference level of the nearest count."""

    num_superclasses: int
    num_reference: int
    adjusted_rand: float
    """1 for equal assignments; 0 is the expected value of random ones."""


def best_agreement(records: Records, reference: Mapping[int, Sequence[int]]) -> tuple[LevelAgreement, ...]:
    """Return the adjusted Rand index of every superclass level of the best trial, front to back.

    Args:
        records: records of one sweep.
        reference: reference assignments of all classes, by their number of superclasses. A level is compared
            with the reference of the same count or, if there is none, of the nearest by ratio.

    Returns:
        One agreement per superclass level; empty if no trial is complete, or its stages are not recorded.

    Raises:
        InputError: if there is no reference, or it assigns other classes.
    """
    if not reference:
        raise InputError("agreement needs at least one reference level", hint="pass reference superclasses")
    ranked = records.ranked()
    pass_2 = records.chain_of(ranked[0].trial)[:1] if ranked else ()
    levels = json.loads(pass_2[0].assignments)[:-1] if pass_2 else ()
    return tuple(_agreement(level, reference) for level in levels)


def agreement_text(records: Records, reference: Mapping[int, Sequence[int]]) -> str:
    """Return the agreement of the best trial's levels in one sentence; empty if it has none."""
    agreements = best_agreement(records, reference)
    if not agreements:
        return ""
    levels = ", ".join(
        f"{level.num_superclasses} found and {level.num_reference} given: {level.adjusted_rand:.2f}"
        for level in agreements
    )
    return f"adjusted Rand index with the dataset's superclasses (random: about 0): {levels}"


def _agreement(level: Sequence[int], reference: Mapping[int, Sequence[int]]) -> LevelAgreement:
    count = len(set(level))
    nearest = min(sorted(reference), key=lambda size: abs(math.log(size / count)))
    return LevelAgreement(count, nearest, adjusted_rand_index(level, reference[nearest]))
