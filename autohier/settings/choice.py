"""What one trial draws: superclass counts, weight ratio, pruning scope, ratio and passes, and its recipe."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from autohier.settings.frozen import FrozenModel
from autohier.settings.overrides import Overrides, changes_pass_1, changes_pass_2, value_text

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
    variant: str = ""
    """One of the space's variants; empty where it has none, and for the first of them."""
    settings: Overrides = ()
    """Values of searched training settings, by their dotted names."""

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
    def flat(self) -> tuple[object, ...]:
        """What pass 1 depends on: equal for choices that share it; empty where nothing of it is drawn."""
        return self._recipe(tuple(pair for pair in self.settings if changes_pass_1(pair[0])))

    @property
    def prefix(self) -> tuple[object, ...]:
        """What pass 2 depends on: equal for choices that share it."""
        drawn = tuple(pair for pair in self.settings if changes_pass_2(pair[0]))
        return (self.superclasses, self.stack_weights, *self._recipe(drawn))

    @property
    def chain(self) -> tuple[object, ...]:
        """What pruning passes depend on: of choices that agree on it, the longer chain holds the shorter."""
        own = (pair for pair in self.settings if not changes_pass_2(pair[0]))
        return (*self.prefix, *self.pruning, *own)

    @property
    def effect(self) -> tuple[object, ...]:
        """What the choice makes a trial do: equal for choices that differ in nothing that matters."""
        return (self.passes, *(self.chain if self.passes else self.prefix))

    @property
    def recipe_text(self) -> str:
        """Variant and training settings as people read them; empty where neither is drawn."""
        variant = [f"variant {self.variant}"] if self.variant else []
        return ", ".join([*variant, *(f"{name} {value_text(value)}" for name, value in self.settings)])

    def _recipe(self, settings: Overrides) -> tuple[object, ...]:
        return (self.variant, settings) if self.variant or settings else ()

    @property
    def stack_weights(self) -> tuple[float, ...]:
        """Loss weight of every headed stack, front to back; the last is 1 (HAC section 3.3)."""
        last = len(self.superclasses)
        return tuple(self.weight_ratio ** (last - level) for level in range(last + 1))


FLAT_CHOICE = Choice(superclasses=(), weight_ratio=1.0, scope="by-layer", ratio=0.0, passes=0)
"""No superclasses and no pruning: stands in where no choice matters, as in pass 1."""
