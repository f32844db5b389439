"""A search space: what a sweep holds fixed, what it may draw, and the settings papers are known for."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from autohier.errors import InputError
from autohier.settings.choice import Choice, Scope
from autohier.settings.clips import ClipSettings, FrameClips
from autohier.settings.counts import CountRule, allowed_counts
from autohier.settings.frozen import FrozenModel
from autohier.settings.parts import (
    NumericsSettings,
    OptimisationSettings,
    Pass1Settings,
    Pass2Settings,
    ProtocolSettings,
    PruningSettings,
)
from autohier.settings.recognizers import InflatedResNetSettings, RecognizerSettings

HierarchySource = Literal["derived", "given"]

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
    """How often a drawn setting keeps the superclass counts and loss weights of one of the best so far."""


class KnownChoice(Choice):
    """A setting from a paper, tried before anything is drawn."""

    source: str
    """Where it is from."""

    def as_choice(self) -> Choice:
        """The drawn values without their source."""
        return Choice(**self.model_dump(exclude={"source"}))


class Setting(FrozenModel):
    """Everything that one trial does: the fixed parts, the drawn choice and the seed."""

    dataset: str
    num_classes: PositiveInt
    hierarchy: HierarchySource
    protocol: ProtocolSettings
    clips: ClipSettings
    recognizer: RecognizerSettings
    optimisation: OptimisationSettings
    pass_1: Pass1Settings
    pass_2: Pass2Settings
    pruning: PruningSettings
    numerics: NumericsSettings
    choice: Choice
    seed: int


class Space(FrozenModel):
    """A search space as its TOML file holds it."""

    name: str
    description: str = ""
    dataset: str
    """What `autohier prepare` calls the data."""
    num_classes: Annotated[int, Field(ge=2)]
    hierarchy: HierarchySource = "derived"
    """derived: superclasses from the confusion of pass 1; given: those that come with the data, wherever one
    of its levels has as many as are drawn, and derived ones elsewhere."""
    protocol: ProtocolSettings = ProtocolSettings()
    clips: ClipSettings = FrameClips()
    recognizer: RecognizerSettings = InflatedResNetSettings()
    optimisation: OptimisationSettings = OptimisationSettings()
    pass_1: Pass1Settings = Pass1Settings()
    pass_2: Pass2Settings = Pass2Settings()
    pruning: PruningSettings = PruningSettings()
    numerics: NumericsSettings = NumericsSettings()
    search: SearchRanges = SearchRanges()
    known: tuple[KnownChoice, ...] = ()

    @field_validator("dataset")
    @classmethod
    def _as_registered(cls, name: str) -> str:
        return name.strip().lower().replace("_", "-")

    @model_validator(mode="after")
    def _clips_are_what_is_read(self) -> Space:
        if self.clips.form != self.recognizer.reads:
            raise ValueError(
                f"{self.recognizer.name} reads {self.recognizer.reads}, but clips.form is "
                f"{self.clips.form!r}; mend it with --set \"clips={{form='{self.recognizer.reads}'}}\""
            )
        return self

    @model_validator(mode="after")
    def _known_can_be_drawn(self) -> Space:
        try:
            self.allowed_counts  # noqa: B018  counts that do not fit are told of first
        except InputError as error:
            raise ValueError(str(error)) from error
        for known in self.known:
            fault = self.why_not(known)
            if fault:
                raise ValueError(
                    f"the known setting of {known.source!r} must lie in the space, but {fault}; "
                    "mend it, or leave known settings out with --set known=[]"
                )
        return self

    def why_not(self, choice: Choice) -> str:
        """Why a choice cannot be drawn from this space; empty where it can."""
        search, allowed = self.search, self.allowed_counts
        faults = {
            f"it has {len(choice.superclasses)} levels, not {search.levels}": len(choice.superclasses)
            != search.levels,
            f"its counts {choice.counts_text} are not among {list(allowed)}": not set(
                choice.superclasses
            ).issubset(allowed),
            f"weight_ratio {choice.weight_ratio} is not in search.weight_ratios": self.weight_index(choice)
            is None,
            f"ratio {choice.ratio} is not in search.ratios": choice.ratio not in search.ratios,
            f"scope {choice.scope!r} is not in search.scopes": choice.scope not in search.scopes,
            f"passes {choice.passes} is above search.max_passes {search.max_passes}": choice.passes
            > search.max_passes,
        }
        return "; ".join(fault for fault, holds in faults.items() if holds)

    @property
    def num_folds(self) -> int:
        """How often each step of a trial is trained, each time with others held out."""
        return self.protocol.num_folds if self.protocol.validation == "folds" else 1

    @property
    def allowed_counts(self) -> tuple[int, ...]:
        """Superclass counts a trial may draw, ascending."""
        return allowed_counts(self.num_classes, self.search.levels, self.search.counts)

    def weight_index(self, choice: Choice) -> int | None:
        """Where a choice's weight ratio stands in the table; None where it does not."""
        table = self.search.weight_ratios
        return next(
            (i for i, r in enumerate(table) if math.isclose(r, choice.weight_ratio, rel_tol=1e-5)), None
        )

    def setting(self, choice: Choice, *, seed: int) -> Setting:
        """The whole setting of a trial that drew ``choice``."""
        fixed = {name: getattr(self, name) for name in Setting.model_fields if name in Space.model_fields}
        return Setting(**fixed, choice=choice, seed=seed)
