"""Search space: the settings that a sweep fixes, those that it searches, and its initial configs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from autohier.config.frozen import FrozenModel
from autohier.config.search.counts import allowed_counts
from autohier.config.search.ranges import SearchRanges
from autohier.config.trial.clips import ClipSettings, FrameClips
from autohier.config.trial.hyperparameters import FLAT_PARAMS, Hyperparameters
from autohier.config.trial.overrides import (
    SHARED_SETTING,
    apply_overrides,
    changes_pass_1,
    check_table,
    check_values_unchanged,
    default_value,
    is_network_setting,
    single_and_paired_values,
)
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.recipes import DEFAULT_RECIPE, RecipeName, find_recipe_fault
from autohier.config.trial.recognizers import (
    AnyRecognizerSettings,
    InflatedResNetSettings,
    RecognizerSettings,
)
from autohier.config.trial.training import (
    NumericsSettings,
    OptimisationSettings,
    Pass1Settings,
    Pass2Settings,
    PruningSettings,
)
from autohier.config.trial.trial_config import HierarchySource, TrialConfig
from autohier.errors import InputError, nearest
from autohier.faults import SeveralFaultsError
from autohier.text import listing, plural


class InitialConfig(Hyperparameters):
    """Hyperparameters from a paper that a sweep tries before it samples any."""

    source: str
    """Paper and table that they come from."""
    off_grid: bool = False
    """Allow superclass counts and a weight ratio that the search does not sample, e.g. counts that repeat.
    The sampler does not learn from such a config."""

    def as_params(self) -> Hyperparameters:
        """Return the hyperparameters alone."""
        return Hyperparameters(**self.model_dump(exclude={"source", "off_grid"}))


class SearchSpace(FrozenModel):
    """Search space, as its TOML file holds it."""

    name: Annotated[str, Field(examples=["mine"])]
    """Name of the space; a sweep is named after it."""
    description: str = ""
    """One line for `autohier spaces`."""
    dataset: Annotated[str, Field(examples=["mine"])]
    """Dataset, by the name that `autohier prepare` takes."""
    num_classes: Annotated[int, Field(ge=2, le=100_000, examples=[12])]
    """Number of classes of the dataset."""
    hierarchy: HierarchySource = "derived"
    """Source of the superclasses. derived: from the confusion matrix of pass 1; given: from the dataset, for
    each level whose sampled count equals that of a level of the dataset, and derived for the others."""
    recipe: RecipeName = DEFAULT_RECIPE
    """Recipe: the stages of a trial and their order. hac: pass 1, pass 2, pruning passes; joint: a base for
    each level, a joint layer on the frozen bases, pruning passes. Packages may add others."""
    protocol: ProtocolSettings = ProtocolSettings()
    """Clips that train, validate and test."""
    clips: ClipSettings = FrameClips()
    """Clip input that the recognizer reads."""
    recognizer: AnyRecognizerSettings = InflatedResNetSettings()
    """Recognizer and its options."""
    assumes_2d_weights: bool | tuple[str, ...] = False
    """True if the recipe is that of an inflated network which starts from the weights of a 2D one, or the
    names of the variants of which this holds. `check` and `search` then warn if recognizer.weights is not
    set."""
    optimisation: OptimisationSettings = OptimisationSettings()
    """Optimizer and learning-rate schedule of every stage."""
    pass_1: Pass1Settings = Pass1Settings()
    """Pass 1."""
    pass_2: Pass2Settings = Pass2Settings()
    """Pass 2."""
    pruning: PruningSettings = PruningSettings()
    """Pruning passes."""
    numerics: NumericsSettings = NumericsSettings()
    """Precision and determinism."""
    search: SearchRanges = SearchRanges()
    """Hyperparameters that are sampled, and their values."""
    initial: tuple[InitialConfig, ...] = ()
    """Configs that a sweep tries first, from papers."""
    moved_weights: dict[str, str] = Field(default_factory=dict)
    """Present places of weights whose paths are searched, by the path in search.settings. A sweep that moved
    sets them, see `resume --pretrained`."""

    @field_validator("dataset")
    @classmethod
    def _normalise_name(cls, name: str) -> str:
        return name.strip().lower().replace("_", "-")

    @model_validator(mode="after")
    def _check_clip_input(self) -> SearchSpace:
        if self.clips.input != self.recognizer.reads:
            modality = f", modality='{self.clips.modality}'" if self.clips.modality else ""
            raise ValueError(
                f"{self.recognizer.name} reads {self.recognizer.reads}, but clips.input is "
                f"{self.clips.input!r}; next to the recognizer, set "
                f"clips={{input='{self.recognizer.reads}'{modality}}}"
            )
        fault = self.recognizer.find_clips_fault(self.clips)
        fault = fault or find_recipe_fault(self.recipe, self.recognizer, self.pass_2)
        if fault:
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _check_ranges(self) -> SearchSpace:
        try:
            self.allowed_counts  # noqa: B018  raises if no counts fit
        except InputError as error:
            raise ValueError(str(error)) from error
        faults = dict.fromkeys((*self._variant_faults(), *self._initial_faults()))
        if faults:
            raise SeveralFaultsError(faults)
        return self

    def _variant_faults(self) -> Iterator[str]:
        if not isinstance(self.assumes_2d_weights, bool) and self.search.variants:
            for name in self.assumes_2d_weights:
                if name not in self.search.variants:
                    known = nearest(name, list(self.search.variants))
                    yield f"assumes_2d_weights names the variant {name!r}, which is unknown: {known}"
        for variant in self._variant_names:
            try:
                self._check_variant(variant)
            except InputError as error:
                yield str(error)

    def _initial_faults(self) -> Iterator[str]:
        found = [
            (config.source, fault)
            for config in self.initial
            if (fault := self.find_fault(config, off_grid=config.off_grid))
        ]
        for source, fault in found:
            yield f"the initial config {source!r} must lie in the space, but {fault}"
        for table, numbers in (("weight_ratios", self.search.weight_ratios), ("ratios", self.search.ratios)):
            if any(f"search.{table}" in fault for _, fault in found):
                yield f"search.{table} holds {listing([f'{number:g}' for number in numbers])}"
        if found:
            yield "change these configs, or drop all initial configs with --set 'initial=[]'"

    def require_different_variants(self) -> None:
        """Check that no two variants are equal, as they may become by a ``--set``.

        Raises:
            InputError: if two are.
        """
        names: dict[object, str] = {}
        for name, overrides in self.search.variants.items():
            other = names.setdefault(overrides, name)
            if other != name:
                raise InputError(
                    f"variants {other} and {name} must differ",
                    hint="do not override the setting they differ in, or search a single variant: "
                    f"--set search.variants={name}",
                )

    def find_superclass_fault(self, params: Hyperparameters) -> str:
        """Return why a config that is given, not sampled, cannot have its superclasses; empty if it can."""
        return "; ".join(fault for fault, holds in self._superclass_faults(params).items() if holds)

    def _superclass_faults(self, params: Hyperparameters) -> dict[str, bool]:
        num_levels, most = len(params.superclasses), max(params.superclasses, default=0)
        return {
            f"it has {plural(num_levels, 'level')}, not {self.search.levels}": num_levels
            != self.search.levels,
            f"its counts {params.counts_text} are above the {self.num_classes} classes": most
            > self.num_classes,
        }

    def find_fault(self, params: Hyperparameters, *, off_grid: bool = False) -> str:
        """Return why this space cannot sample the hyperparameters; empty if it can.

        Args:
            params: the hyperparameters.
            off_grid: accept any superclass counts up to the number of classes, and any weight ratio.
        """
        search = self.search
        faults = {
            **self._superclass_faults(params),
            **({} if off_grid else self._grid_faults(params)),
            f"ratio {params.ratio} is not in search.ratios": params.ratio not in search.ratios,
            f"scope {params.scope!r} is not in search.scopes": params.scope not in search.scopes,
            f"passes {params.passes} is above search.max_passes {search.max_passes}": params.passes
            > search.max_passes,
            f"variant {params.variant!r} is not in search.variants": bool(params.variant)
            and params.variant not in search.variants,
            **{
                f"{name} {value} is not in search.settings": value not in search.settings.get(name, ())
                for name, value in params.settings
            },
        }
        return "; ".join(fault for fault, holds in faults.items() if holds)

    def _grid_faults(self, params: Hyperparameters) -> dict[str, bool]:
        counts, allowed = params.superclasses, self.allowed_counts
        return {
            f"its counts {params.counts_text} are not among {list(allowed)}": not set(counts) <= set(allowed),
            f"its counts {params.counts_text} do not ascend": len(set(counts)) < len(counts),
            f"weight_ratio {params.weight_ratio} is not in search.weight_ratios": self.weight_index(params)
            is None,
        }

    def ranges_with_initial(self) -> SearchRanges:
        """Return the ranges of the search, with the weight ratios of initial configs off the grid."""
        others = {config.weight_ratio for config in self.initial if self.weight_index(config) is None}
        ratios = tuple(sorted({*self.search.weight_ratios, *others}))
        return self.search.model_copy(update={"weight_ratios": ratios})

    @property
    def num_folds(self) -> int:
        """Number of networks that each stage trains: one per fold of a cross-validation, else 1."""
        return self.protocol.num_folds if self.protocol.validation == "folds" else 1

    @property
    def allowed_counts(self) -> tuple[int, ...]:
        """Superclass counts that a trial may sample, ascending."""
        return allowed_counts(self.num_classes, self.search.levels, self.search.counts)

    def weight_index(self, params: Hyperparameters) -> int | None:
        """Return the index of the weight ratio in its table; None if the table lacks it."""
        table = self.search.weight_ratios
        return next(
            (i for i, r in enumerate(table) if math.isclose(r, params.weight_ratio, rel_tol=1e-5)), None
        )

    def config(self, params: Hyperparameters, *, seed: int) -> TrialConfig:
        """Return the config of a trial with these hyperparameters.

        Raises:
            InputError: if the space lacks the variant, or a training setting is invalid.
        """
        applied = self.apply(params)
        fixed = {
            name: getattr(applied, name)
            for name in TrialConfig.model_fields
            if name in SearchSpace.model_fields
        }
        fixed["recognizer"] = self._located(applied.recognizer)
        return TrialConfig(
            **fixed,
            params=self.complete(params),
            seed=seed,
            objective=self.search.objective,
            second_objective=self.search.second_objective,
            max_multiply_adds=self.search.max_multiply_adds,
        )

    def _located(self, recognizer: RecognizerSettings) -> RecognizerSettings:
        """Return a recognizer with the weights where they lie now."""
        paths = {field: getattr(recognizer, field, None) for field in ("weights", "start")}
        moved = {
            field: self.moved_weights[path] for field, path in paths.items() if path in self.moved_weights
        }
        return recognizer.model_copy(update=moved) if moved else recognizer

    def complete(self, params: Hyperparameters) -> Hyperparameters:
        """Return hyperparameters with a variant and with a value for every searched setting.

        The default variant is the first one. The default of a searched setting is the variant's own value or,
        if the table lacks that, the first of the table.

        Raises:
            InputError: if the space lacks the variant.
        """
        variant = params.variant or self._variant_names[0]
        own, origin, tables = self._as_variant(variant), _settings_origin(variant), self.search.settings
        defaults = {name: default_value(own, name, table, origin=origin) for name, table in tables.items()}
        settings = sorted((defaults | dict(params.settings)).items())
        return params.model_copy(update={"variant": variant, "settings": tuple(settings)})

    def apply(self, params: Hyperparameters) -> SearchSpace:
        """Return the space with a trial's variant and training settings applied, and neither searched.

        Raises:
            InputError: if the space lacks the variant, or a training setting is invalid.
        """
        complete = self.complete(params)
        variant = self._as_variant(complete.variant)
        return apply_overrides(variant, complete.settings, origin=_settings_origin(complete.variant))

    def flat_params(self) -> tuple[Hyperparameters, ...]:
        """Return one set of hyperparameters per variant, without superclasses and pruning."""
        flat = (FLAT_PARAMS.model_copy(update={"variant": name}) for name in self._variant_names)
        return tuple(self.complete(params) for params in flat)

    @property
    def shares_pass_1(self) -> bool:
        """True if all trials with one seed share a pass 1."""
        return len(self.search.variants) <= 1 and not any(map(changes_pass_1, self.search.settings))

    def flat_params_by_network(self) -> dict[str, Hyperparameters]:
        """Return flat hyperparameters for every network that the space can sample, by their text."""
        tables = {name: table for name, table in self.search.settings.items() if is_network_setting(name)}
        flat = [
            FLAT_PARAMS.model_copy(
                update={"variant": variant, "settings": tuple(zip(tables, values, strict=True))}
            )
            for variant in self._variant_names
            for values in product(*tables.values())
        ]
        return {params.variant_text: self.complete(params) for params in flat}

    @property
    def _variant_names(self) -> tuple[str, ...]:
        return tuple(self.search.variants) or ("",)

    def _as_variant(self, name: str) -> SearchSpace:
        """Return the space with one variant applied, and neither variants nor settings searched."""
        variants = self.search.variants
        if name not in self._variant_names:
            hint = nearest(name, list(variants)) if variants else "the space has none"
            raise InputError(f"unknown variant {name!r}", hint=hint)
        if not variants and not self.search.settings:
            return self
        search = self.search.model_copy(update={"variants": {}, "settings": {}})
        plain = self.model_copy(update={"search": search, "initial": ()})
        return apply_overrides(plain, variants.get(name, ()), origin=f"variant {name!r}")

    def _check_variant(self, variant: str) -> None:
        """Check a variant with every value of a searched setting, and with every two of related groups.

        This covers all combinations: rules relate at most two settings that tables can hold, both of one
        group, or one of the recognizer and one of its clips.
        """
        plain, tables = self._as_variant(variant), self.search.settings
        if plain.clips.modality != self.clips.modality:
            raise InputError(
                f"variant {variant!r}: all trials of a sweep read the same prepared clips",
                got=f"{SHARED_SETTING} {plain.clips.modality!r}, not {self.clips.modality!r}",
                hint="leave it out",
            )
        for name, value in self.search.variants.get(variant, ()):
            if value not in tables.get(name, (value,)):
                raise InputError(
                    f"variant {variant!r}: {name} is searched, so the variant's value must be in its table",
                    got=f"{value}, not one of {list(tables[name])}",
                    hint=f"add the value to search.settings, or remove {name} from the variant or from "
                    "search.settings",
                )
        for name, table in tables.items():
            check_table(name, table)
        default = self.apply(FLAT_PARAMS.model_copy(update={"variant": variant}))
        origin = _settings_origin(variant)
        for overrides in single_and_paired_values(tables):
            check_values_unchanged(
                apply_overrides(default, overrides, origin=origin), overrides, origin=origin
            )


def _settings_origin(variant: str) -> str:
    return f"settings of variant {variant!r}" if variant else "settings"
