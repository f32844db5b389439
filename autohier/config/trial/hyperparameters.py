"""Hyperparameters of one trial: superclass counts, loss weights, pruning, variant and training settings."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from autohier.config.frozen import FrozenModel
from autohier.config.trial.overrides import Overrides, changes_pass_1, changes_pass_2, value_text

Scope = Literal["global", "layerwise"]


class Hyperparameters(FrozenModel):
    """Sampled values of one trial, decoded, as every table and command shows them."""

    superclasses: tuple[int, ...]
    """Superclass counts of the stacks before the last, ascending, e.g. (2, 6, 20). A given config may repeat
    a count; 60/60/60 with 60 classes predicts the classes at every stack."""
    weight_ratio: PositiveFloat
    """Ratio rho of the loss weights w_l = rho**(L - l); 0.5 gives 1/8, 1/4, 1/2, 1."""
    scope: Scope
    """Pruning scope. global ranks the filters of all layers together; layerwise ranks those of each layer."""
    ratio: Annotated[float, Field(ge=0, lt=1)]
    """Share of the remaining filters that a pruning pass removes; 0 only retrains."""
    passes: Annotated[int, Field(ge=0, le=1000)]
    """Pruning passes; the stop rule may end a trial sooner."""
    variant: str = ""
    """Variant of the search space; empty for its first one, or if it has none."""
    settings: Overrides = ()
    """Values of the searched training settings, by dotted name."""

    @field_validator("superclasses", mode="before")
    @classmethod
    def _parse_counts(cls, value: object) -> object:
        if isinstance(value, int):  # TOML reads superclasses=3 as a number
            return (value,)
        return tuple(part for part in value.split("/") if part) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_order(self) -> Hyperparameters:
        counts = self.superclasses
        if min(counts, default=1) < 1 or any(a > b for a, b in pairwise(counts)):
            raise ValueError(
                f"superclass counts must be positive and must not descend, but got {self.counts_text}"
            )
        return self

    @property
    def counts_text(self) -> str:
        """Superclass counts as in the papers, e.g. "2/6/20"."""
        return "/".join(str(count) for count in self.superclasses)

    @property
    def pruning(self) -> tuple[Scope, float]:
        """Scope and ratio; one fixed scope if the ratio is 0, as the scope then has no effect."""
        return (self.scope if self.ratio else "layerwise", self.ratio)

    @property
    def flat(self) -> tuple[object, ...]:
        """Values that pass 1 depends on: equal for hyperparameters that share a pass 1; may be empty."""
        return self._with_variant(tuple(pair for pair in self.settings if changes_pass_1(pair[0])))

    @property
    def prefix(self) -> tuple[object, ...]:
        """Values that pass 2 depends on: equal for hyperparameters that share a pass 2."""
        settings = tuple(pair for pair in self.settings if changes_pass_2(pair[0]))
        return (self.superclasses, self.stack_weights, *self._with_variant(settings))

    @property
    def chain(self) -> tuple[object, ...]:
        """Values that the pruning passes depend on: of two equal chains, the longer contains the shorter."""
        own = (pair for pair in self.settings if not changes_pass_2(pair[0]))
        return (*self.prefix, *self.pruning, *own)

    @property
    def effect(self) -> tuple[object, ...]:
        """Values that the whole trial depends on: equal for hyperparameters that compute the same."""
        return (self.passes, *(self.chain if self.passes else self.prefix))

    @property
    def variant_text(self) -> str:
        """Variant and training settings as text; empty if neither is sampled."""
        variant = [f"variant {self.variant}"] if self.variant else []
        return ", ".join([*variant, *(f"{name} {value_text(value)}" for name, value in self.settings)])

    @property
    def settings_text(self) -> str:
        """Hyperparameters by the names that ``train --set`` takes."""
        variant = f"{self.variant_text}, " if self.variant_text else ""
        return (
            f"{variant}superclasses {self.counts_text or 'none'}, weight_ratio {self.weight_ratio:.4g}, "
            f"scope {self.scope}, ratio {self.ratio:.4g}, passes {self.passes}"
        )

    def _with_variant(self, settings: Overrides) -> tuple[object, ...]:
        return (self.variant, settings) if self.variant or settings else ()

    @property
    def stack_weights(self) -> tuple[float, ...]:
        """Loss weight of every stack with a head, front to back; the last is 1 (HAC section 3.3)."""
        last = len(self.superclasses)
        return tuple(self.weight_ratio ** (last - level) for level in range(last + 1))


FLAT_PARAMS = Hyperparameters(superclasses=(), weight_ratio=1.0, scope="layerwise", ratio=0.0, passes=0)
"""Hyperparameters without superclasses and pruning, for steps that depend on none, e.g. pass 1."""
