"""What a space lets a sweep draw: HAC's own choices, and beside them variants and training settings."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, StringConstraints

from autohier.settings.choice import Scope
from autohier.settings.counts import CountRule
from autohier.settings.frozen import FrozenModel
from autohier.settings.overrides import Overrides, by_name


def _not_taken(name: str) -> str:
    if re.fullmatch(r"each|t\d+", name):
        raise ValueError(f"a variant's name must not stand for trials, as {name!r} does")
    return name


VariantName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9+_-]*$", max_length=40),
    AfterValidator(_not_taken),
]
Table = Annotated[tuple[Any, ...], Field(min_length=1)]

_STEPS_PER_OCTAVE = 4
_LOWEST_LOG2, _HIGHEST_LOG2 = -2.5, 1.5
_RATIO_DIGITS = 6


def _default_weight_ratios() -> tuple[float, ...]:
    # A grid, so that trials can share pass 2; a third is in it because HAC's tables use it.
    steps = int((_HIGHEST_LOG2 - _LOWEST_LOG2) * _STEPS_PER_OCTAVE)
    grid = {2 ** (_LOWEST_LOG2 + step / _STEPS_PER_OCTAVE) for step in range(steps + 1)} | {1 / 3}
    return tuple(sorted(round(ratio, _RATIO_DIGITS) for ratio in grid))


class SearchRanges(FrozenModel):
    """What may be drawn."""

    levels: Annotated[int, Field(ge=0)] = 3
    """Stacks before the last that get superclasses."""
    counts: CountRule | tuple[Annotated[int, Field(ge=2)], ...] = "auto"
    """Which superclass counts are allowed: divisors of the classes, every balanced count, auto, or these."""
    weight_ratios: tuple[PositiveFloat, ...] = Field(default_factory=_default_weight_ratios, min_length=1)
    """Table of rho in w_l = rho**(L - l)."""
    scopes: tuple[Scope, ...] = Field(default=("altogether", "by-layer"), min_length=1)
    ratios: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        default=(0.0, 0.02, 0.03, 0.05, 0.075, 0.10, 0.125, 0.15, 0.20, 0.25, 0.30), min_length=1
    )
    """Table of pruning ratios; 0 is the control arm that retrains and prunes nothing."""
    max_passes: Annotated[int, Field(ge=0)] = 7
    max_seeds: PositiveInt = 2
    """Seeds of a setting: where the best one is drawn again, it is run again, with another seed."""
    reduction_factor: Annotated[float, Field(gt=1)] = 4
    """With halving: one in so many settings goes on at a rung within pass 2."""
    keep_prefix: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How often a drawn setting keeps all that pass 2 follows from of one of the best so far."""
    variants: dict[VariantName, Overrides] = Field(default_factory=dict)
    """By name, what differs from the space's own recognizer, clips and training; a trial draws one."""
    settings: Annotated[dict[str, Table], BeforeValidator(by_name)] = Field(default_factory=dict)
    """By dotted name, e.g. "optimisation.learning_rate", values of which a trial draws one."""
