"""What one trial draws: superclass counts, weight ratio, pruning scope, ratio and passes."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from autohier.settings.frozen import FrozenModel

Scope = Literal["altogether", "by-layer"]


class Choice(FrozenModel):
    """The drawn values of one trial, decoded: what people see everywhere."""

    superclasses: tuple[int, ...]
    """Ascending counts of the headed stacks before the last, e.g. (2, 6, 20)."""
    weight_ratio: PositiveFloat
    """rho of the loss weights w_l = rho**(L - l); 0.5 gives 1/8 1/4 1/2 1."""
    scope: Scope
    ratio: Annotated[float, Field(ge=0, lt=1)]
    """Share of the filters still alive that a pass prunes; 0 retrains only."""
    passes: Annotated[int, Field(ge=0)]

    @field_validator("superclasses", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if isinstance(value, int):  # how TOML reads superclasses=3
            return (value,)
        return tuple(part for part in value.split("/") if part) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _ascending(self) -> Choice:
        counts = self.superclasses
        if min(counts, default=1) < 1 or any(a >= b for a, b in pairwise(counts)):
            raise ValueError(f"superclass counts must be positive and ascend, but got {self.counts_text}")
        return self

    @property
    def counts_text(self) -> str:
        """The counts as the papers write them, e.g. "2/6/20"."""
        return "/".join(str(count) for count in self.superclasses)

    @property
    def pruning(self) -> tuple[Scope, float]:
        """Scope and ratio, where the scope makes no difference always the same one."""
        return (self.scope if self.ratio else "by-layer", self.ratio)

    @property
    def effect(self) -> tuple[object, ...]:
        """What the choice makes a trial do: equal for choices that differ in nothing that matters."""
        kept = (self.superclasses, self.weight_ratio, self.passes)
        return (*kept, *self.pruning) if self.passes else kept

    @property
    def stack_weights(self) -> tuple[float, ...]:
        """Loss weight of every headed stack, front to back; the last is 1 (HAC section 3.3)."""
        last = len(self.superclasses)
        return tuple(self.weight_ratio ** (last - level) for level in range(last + 1))


FLAT_CHOICE = Choice(superclasses=(), weight_ratio=1.0, scope="by-layer", ratio=0.0, passes=0)
"""No superclasses and no pruning: stands in where no choice matters, as in pass 1."""
