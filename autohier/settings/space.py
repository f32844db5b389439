"""A search space: what a sweep holds fixed, what it may draw, and the settings papers are known for."""

from __future__ import annotations

import math
from itertools import product
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from autohier.errors import InputError
from autohier.settings.choice import FLAT_CHOICE, Choice
from autohier.settings.clips import ClipSettings, FrameClips
from autohier.settings.counts import allowed_counts
from autohier.settings.frozen import FrozenModel, nearest
from autohier.settings.overrides import (
    SHARED,
    alone_and_by_two,
    applied,
    changes_pass_1,
    check_table,
    default_value,
    of_recognizer,
    require_as_written,
)
from autohier.settings.parts import (
    NumericsSettings,
    OptimisationSettings,
    Pass1Settings,
    Pass2Settings,
    ProtocolSettings,
    PruningSettings,
)
from autohier.settings.recognizers import InflatedResNetSettings, RecognizerSettings
from autohier.settings.search import SearchRanges

HierarchySource = Literal["derived", "given"]


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
            modality = f", modality='{self.clips.modality}'" if self.clips.modality else ""
            raise ValueError(
                f"{self.recognizer.name} reads {self.recognizer.reads}, but clips.form is "
                f"{self.clips.form!r}; mend it where the recognizer is set: "
                f"clips={{form='{self.recognizer.reads}'{modality}}}"
            )
        return self

    @model_validator(mode="after")
    def _whatever_is_drawn_holds(self) -> Space:
        try:
            self.allowed_counts  # noqa: B018  counts that do not fit are told of first
            for variant in self._variant_names:
                self._check_drawn(variant)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _known_can_be_drawn(self) -> Space:
        for known in self.known:
            fault = self.why_not(known)
            if fault:
                raise ValueError(
                    f"the known setting of {known.source!r} must lie in the space, but {fault}; "
                    "mend it, or leave known settings out with --set known=[]"
                )
        return self

    def require_different_variants(self) -> None:
        """Check that a search would not run one variant under two names, as it may after a ``--set``.

        Raises:
            InputError: where it would.
        """
        names: dict[object, str] = {}
        for name, overrides in self.search.variants.items():
            other = names.setdefault(overrides, name)
            if other != name:
                raise InputError(
                    f"variants {other} and {name} must differ",
                    remedy="leave what they differ in as it is, or search one of them: "
                    "--set search.variants={} --set known=[]",
                )

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
            f"variant {choice.variant!r} is not in search.variants": bool(choice.variant)
            and choice.variant not in search.variants,
            **{
                f"{name} {value} is not in search.settings": value not in search.settings.get(name, ())
                for name, value in choice.settings
            },
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
        """The whole setting of a trial that drew ``choice``.

        Raises:
            InputError: for a variant that the space does not have, or training settings that cannot be.
        """
        varied = self.varied(choice)
        fixed = {name: getattr(varied, name) for name in Setting.model_fields if name in Space.model_fields}
        return Setting(**fixed, choice=self.completed(choice), seed=seed)

    def completed(self, choice: Choice) -> Choice:
        """A choice with a variant, and with a value of every searched setting.

        Where it names none that is the first variant, and the variant's own value or, where that is not in
        the table, the first of the table.

        Raises:
            InputError: for a variant that the space does not have.
        """
        variant = choice.variant or self._variant_names[0]
        own, of, tables = self._as_variant(variant), _settings_of(variant), self.search.settings
        defaults = {name: default_value(own, name, table, of=of) for name, table in tables.items()}
        settings = sorted((defaults | dict(choice.settings)).items())
        return choice.model_copy(update={"variant": variant, "settings": tuple(settings)})

    def varied(self, choice: Choice) -> Space:
        """The space as a choice's trial has it: its variant and training settings applied, none searched.

        Raises:
            InputError: for a variant that the space does not have, or training settings that cannot be.
        """
        whole = self.completed(choice)
        variant = self._as_variant(whole.variant)
        return applied(variant, whole.settings, of=_settings_of(whole.variant))

    def flat_choices(self) -> tuple[Choice, ...]:
        """One for every variant, without superclasses and pruning."""
        flat = (FLAT_CHOICE.model_copy(update={"variant": name}) for name in self._variant_names)
        return tuple(self.completed(choice) for choice in flat)

    @property
    def shares_pass_1(self) -> bool:
        """Whether all trials of a seed have the same pass 1."""
        return len(self.search.variants) <= 1 and not any(map(changes_pass_1, self.search.settings))

    def networks(self) -> dict[str, Choice]:
        """Flat choices of every recognizer that can be drawn, by what tells them apart."""
        tables = {name: table for name, table in self.search.settings.items() if of_recognizer(name)}
        drawn = [
            FLAT_CHOICE.model_copy(
                update={"variant": variant, "settings": tuple(zip(tables, values, strict=True))}
            )
            for variant in self._variant_names
            for values in product(*tables.values())
        ]
        return {choice.recipe_text: self.completed(choice) for choice in drawn}

    @property
    def _variant_names(self) -> tuple[str, ...]:
        return tuple(self.search.variants) or ("",)

    def _as_variant(self, name: str) -> Space:
        variants = self.search.variants
        if name not in self._variant_names:
            remedy = nearest(name, list(variants)) if variants else "the space has none"
            raise InputError("unknown variant", got=repr(name), remedy=remedy)
        if not variants and not self.search.settings:
            return self
        search = self.search.model_copy(update={"variants": {}, "settings": {}})
        plain = self.model_copy(update={"search": search, "known": ()})
        return applied(plain, variants.get(name, ()), of=f"variant {name!r}")

    def _check_drawn(self, variant: str) -> None:
        """Check a variant and with it every value of a searched setting, and every two of one group.

        That is all: no rule relates more settings, or settings of two groups but those that tables may not
        hold.
        """
        plain, tables = self._as_variant(variant), self.search.settings
        if plain.clips.modality != self.clips.modality:
            raise InputError(
                f"variant {variant!r}: all trials of a sweep read the same prepared clips",
                got=f"{SHARED} {plain.clips.modality!r}, not {self.clips.modality!r}",
                remedy="leave it out",
            )
        for name, value in self.search.variants.get(variant, ()):
            if value not in tables.get(name, (value,)):
                raise InputError(
                    f"variant {variant!r}: {name} is searched, and what a variant sets must be in its table",
                    got=f"{value}, not one of {list(tables[name])}",
                    remedy=f"add it to search.settings, or take {name} out of one of them",
                )
        for name, table in tables.items():
            check_table(name, table)
        default = self.varied(FLAT_CHOICE.model_copy(update={"variant": variant}))
        for overrides in alone_and_by_two(tables):
            of = _settings_of(variant)
            require_as_written(applied(default, overrides, of=of), overrides, of=of)


def _settings_of(variant: str) -> str:
    return f"settings of variant {variant!r}" if variant else "settings"
