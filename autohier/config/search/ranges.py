"""Ranges of a search: the hyperparameters that trials sample, with variants and training settings."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, field_validator

from autohier.config.frozen import FrozenModel, check_different
from autohier.config.plain_names import check_plain_name
from autohier.config.quantities import Count
from autohier.config.search.counts import CountRule
from autohier.config.trial.hyperparameters import Scope
from autohier.config.trial.overrides import Overrides, flatten_table
from autohier.config.trial.trial_config import Objective, SecondObjective


def _check_not_reserved(name: str) -> str:
    if re.fullmatch(r"each|t\d+", name):
        raise ValueError(f"a variant cannot be called {name!r}, which names trials")
    return check_plain_name(name, marks="+_-", max_chars=40)


def _none(value: Any) -> Any:  # noqa: ANN401  pydantic checks what is no text
    """Return None for "none", as TOML has no null."""
    return None if value == "none" else value


VariantName = Annotated[str, AfterValidator(_check_not_reserved)]
Table = Annotated[tuple[Any, ...], Field(min_length=1)]

_STEPS_PER_OCTAVE = 4
_LOWEST_LOG2, _HIGHEST_LOG2 = -2.5, 1.5
_RATIO_DIGITS = 6


def _default_weight_ratios() -> tuple[float, ...]:
    # A grid, so that trials can share a pass 2; it contains 1/3 because HAC's tables use it.
    steps = int((_HIGHEST_LOG2 - _LOWEST_LOG2) * _STEPS_PER_OCTAVE)
    grid = {2 ** (_LOWEST_LOG2 + step / _STEPS_PER_OCTAVE) for step in range(steps + 1)} | {1 / 3}
    return tuple(sorted(round(ratio, _RATIO_DIGITS) for ratio in grid))


class SearchRanges(FrozenModel):
    """Hyperparameters that trials sample, and their values."""

    objective: Objective = "accuracy"
    """Measurement on the validation clips that the search maximizes, and that the stop rule and the trial
    scheduler compare: accuracy, or mean-class, the mean of the classes' accuracies."""
    second_objective: Annotated[SecondObjective | None, BeforeValidator(_none)] = None
    """Cost of the network that the search minimizes as well: multiply-adds, those of one clip without pruned
    filters; or none. The search then seeks the Pareto front of both, and a chain that prunes trains all its
    passes."""
    max_multiply_adds: Count | None = None
    """Bound on the multiply-adds of one clip, e.g. "2G". A trial keeps the best pass within it, and only
    trials within it can win."""
    levels: Annotated[int, Field(ge=0, le=100)] = 3
    """Number of levels of superclasses. Each needs a stack of its own, unless pass_2.heads is "last"."""
    counts: CountRule | tuple[Annotated[int, Field(ge=2)], ...] = "auto"
    """Allowed superclass counts. divisors: those of the number of classes; balanced: every count up to half
    the classes; auto: divisors if they give at least ten tuples, else balanced; or a list of counts."""
    weight_ratios: tuple[PositiveFloat, ...] = Field(default_factory=_default_weight_ratios, min_length=1)
    """Ratios rho of the loss weights w_l = rho**(L - l)."""
    scopes: tuple[Scope, ...] = Field(default=("global", "layerwise"), min_length=1)
    """Pruning scopes."""
    ratios: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        default=(0.0, 0.02, 0.03, 0.05, 0.075, 0.10, 0.125, 0.15, 0.20, 0.25, 0.30), min_length=1
    )
    """Pruning ratios; 0 is the control that retrains without pruning."""
    max_passes: Annotated[int, Field(ge=0, le=1000)] = 7
    """Largest number of pruning passes."""
    max_seeds: Annotated[PositiveInt, Field(le=1000)] = 2
    """Largest number of seeds per config: a best config that is sampled again runs with another seed."""
    reduction_factor: Annotated[float, Field(gt=1)] = 4
    """Successive halving: one in this many trials is promoted at a rung within pass 2."""
    keep_prefix: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Probability that a trial keeps the pass 2 of one of the best trials so far."""
    variants: dict[VariantName, Overrides] = Field(default_factory=dict)
    """Variants by name, each with the recognizer, clip and training settings that it changes; a trial samples
    one."""
    settings: Annotated[dict[str, Table], BeforeValidator(flatten_table)] = Field(default_factory=dict)
    """Values of searched training settings by dotted name, e.g. "optimisation.learning_rate"; a trial samples
    one of each."""

    @field_validator("counts", "weight_ratios", "scopes", "ratios")
    @classmethod
    def _check_different(cls, values: Any) -> Any:  # noqa: ANN401  any of these fields
        if isinstance(values, tuple):
            check_different(values)
        return values

    @property
    def objectives(self) -> tuple[Objective, SecondObjective | None]:
        """Objective that the search maximizes, and the one that it minimizes, if any."""
        return self.objective, self.second_objective
