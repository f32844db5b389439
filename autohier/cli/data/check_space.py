"""``autohier check SPACE``: print what a search space holds and which clips it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autohier.cli.echo import echo
from autohier.errors import error_about
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.config.search.search_space import SearchSpace
    from autohier.config.trial.hyperparameters import Hyperparameters
    from autohier.config.trial.trial_config import TrialConfig
    from autohier.core.stages.setup.trial_setup import TrialSetup
    from autohier.data.store.reader import ClipStore
    from autohier.data.superclasses import GivenSuperclasses

_WITHOUT = {"listed": "the source's list", "paper": "also test clips"}
"""Origin of validation clips that are not held-out subjects."""
_MAX_LISTED_SUBJECTS = 12
"""More validation subjects are only counted: in datasets without subjects, each clip is its own."""


def check_space(name: str, data: Path, out: Path, overrides: list[str] | None) -> None:
    """Print a search space's size, epochs and networks, and the clips of its store if it is prepared.

    Args:
        name: shipped search space, or path of a TOML file.
        data: folder of the prepared datasets.
        out: folder of the sweeps, one of which recognizer.start may name.
        overrides: ``KEY=VALUE`` changes of the space.

    Raises:
        InputError: if the space, or its combination with the prepared clips, is invalid.
    """
    from autohier.config.search.loading import load_space
    from autohier.data.store.paths import store_folder, unprepared_hint
    from autohier.sweep.plans.starts import check_networks, resolve_starts

    space = resolve_starts(load_space(name, overrides or ()), out)
    space.require_different_variants()
    check_networks(space)
    echo(f"{space.name}: {space.description or f'clips of {space.dataset}, {space.num_classes} classes'}")
    folder = store_folder(data, space.dataset, space.clips.modality)
    space = _print_protocol(space, folder)
    _print_size(space)
    _print_hyperparameters(space)
    _print_epochs(space)
    if folder.is_dir():
        _check_clips(space, folder)
    else:
        _print_warnings(space)
        echo(f"clips: not prepared yet, expected in {folder}")
        echo(f"  fix: {unprepared_hint(folder)}")


def _print_protocol(space: SearchSpace, folder: Path) -> SearchSpace:
    """Print the protocol; return the space with the validation that ``auto`` becomes for its clips."""
    text = f"protocol: {space.protocol.name}, validation {space.protocol.validation}"
    if folder.is_dir():
        from autohier.core.stages.setup.trial_setup import resolve_protocol
        from autohier.data.store.reader import ClipStore

        resolved = resolve_protocol(space.protocol, ClipStore.open(folder))
        if resolved.reason:
            text += f" = {resolved.protocol.validation}, because {resolved.reason}"
        space = space.model_copy(update={"protocol": resolved.protocol})
    echo(text)
    return space


def _check_clips(space: SearchSpace, folder: Path) -> None:
    """Build every network of a space on a clip of the store, and print the split."""
    from autohier.core.stages.callbacks import CallbackList
    from autohier.core.stages.setup.given_superclasses import require_samplable_level
    from autohier.core.stages.setup.trial_setup import open_trial
    from autohier.core.stages.store.stage_store import StageStore
    from autohier.data.store.reader import ClipStore
    from autohier.machine import machine_share

    clips = ClipStore.open(folder)
    clips.check_digests()
    stages, callback = StageStore(folder), CallbackList()
    trials = {}
    for variant, flat in space.flat_params_by_network().items():
        config = space.config(flat, seed=0)
        with error_about(variant):
            trials[variant] = trial = open_trial(
                config, clips=clips, stages=stages, callback=callback, device="cpu"
            )
    folds = trial.folds(CallbackList()) or [trial]
    _print_warnings(space, clips, trial)
    memory_bytes = machine_share().memory_bytes
    for variant, trial in trials.items():
        with error_about(variant):
            millions = trial.check_network(space.search.levels, memory_bytes=memory_bytes) / 1e6
        of_variant = f" of {variant}" if variant else ""
        echo(f"recognizer{of_variant}: {trial.config.recognizer.name}, {millions:.3f} M parameters")
        if start := trial.describe_start():
            echo(start)
    _print_given_superclasses(space, clips.manifest.levels)
    require_samplable_level(space, clips.manifest.levels)
    if left_out := trial.describe_left_out():
        echo(left_out)
    for fold in folds:
        split, protocol = fold.data_loader.split, fold.base.protocol
        held_out = protocol.held_out
        validation = (
            _WITHOUT.get(protocol.validation) or f"held-out subjects {_subjects_text(held_out or ())}"
        )
        echo(
            f"clips: {len(split.train)} train, {len(split.validation)} validation ({validation}), "
            f"{len(split.test)} test"
        )


def _print_warnings(
    space: SearchSpace, clips: ClipStore | None = None, trial: TrialSetup | None = None
) -> None:
    from autohier.core.stages.checks.space_warnings import space_warnings

    store = clips.manifest if clips else None
    for warning in space_warnings(
        space,
        store,
        clips=clips,
        num_training=trial.num_training if trial else None,
        num_validation=trial.num_validation if trial else None,
    ):
        echo(warning)


def _print_size(space: SearchSpace) -> None:
    search = space.search
    combinations = math.comb(len(space.allowed_counts), search.levels)
    num_other = len(search.weight_ratios) * len(search.scopes) * len(search.ratios) * (search.max_passes + 1)
    num_other *= max(1, len(search.variants)) * math.prod(map(len, search.settings.values()))
    echo(
        f"superclass counts: {plural(combinations, 'combination')} of {search.levels} from "
        f"{_numbers(space.allowed_counts)}"
    )
    echo(f"configs: {combinations * num_other:,} in the search space, {len(space.initial)} initial")


def _print_given_superclasses(space: SearchSpace, levels: Sequence[GivenSuperclasses]) -> None:
    from autohier.core.stages.setup.given_superclasses import sampled_levels

    counts, sampled = space.allowed_counts, sampled_levels(levels, space.allowed_counts)
    for level in levels:
        use = ""
        if space.hierarchy == "given":
            has_twin = level.num_superclasses in counts
            why_not = "another has the same count" if has_twin else f"allowed counts are {_numbers(counts)}"
            use = ", sampled" if level in sampled else f", never sampled: {why_not}"
        number = plural(level.num_superclasses, "superclass", "superclasses")
        echo(f"superclasses of the dataset: {level.name}, {number}{use}")


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values)) or "none"


def _subjects_text(held_out: tuple[int, ...]) -> str:
    if len(held_out) <= _MAX_LISTED_SUBJECTS:
        return _numbers(held_out)
    return f"{held_out[0]} to {held_out[-1]}, {len(held_out)} in total"


def _print_hyperparameters(space: SearchSpace) -> None:
    from autohier.config.trial.overrides import value_text

    for name, overrides in space.search.variants.items():
        changes = ", ".join(f"{key} {value_text(value)}" for key, value in overrides)
        echo(f"variant {name}: {changes or 'the search space without overrides'}")
    for name, values in space.search.settings.items():
        echo(f"hyperparameter {name}: {', '.join(map(value_text, values))}")


def _print_epochs(space: SearchSpace) -> None:
    """Print the epochs of the longest trial of each variant, as the stages of its recipe count them."""
    from autohier.config.trial.hyperparameters import FLAT_PARAMS
    from autohier.core.recipes.chain import stage_kinds
    from autohier.core.recipes.check import check_recipe

    check_recipe(space.config(FLAT_PARAMS, seed=0))
    variants: dict[tuple[int, int], list[str]] = {}
    for flat in space.flat_params():
        kinds = stage_kinds(space.config(flat, seed=0), space.search.max_passes)
        longest = [max(kind.epochs(config) for config in _configs(space, flat)) for kind in kinds]
        # All configs share pass 1, or the first base; other bases may depend on the superclass counts.
        shared = kinds[:1] if space.shares_pass_1 else [kind for kind in kinds if kind.is_flat]
        counts = (space.num_folds * sum(longest), space.num_folds * sum(longest[: len(shared)]))
        variants.setdefault(counts, []).append(flat.variant)
    labels = ", ".join(kind.label(0) for kind in shared)
    sharing = f"configs with the same {labels if len(shared) == 1 else 'ones'}"
    sharing = "all configs" if space.shares_pass_1 else sharing
    for (epochs, num_shared), names in variants.items():
        of_variants = f" of {', '.join(names)}" if len(variants) > 1 else ""
        own = f"{num_shared} of them ({labels})"
        echo(f"epochs per config{of_variants}: at most {epochs}; {own} shared by {sharing}")


def _configs(space: SearchSpace, flat: Hyperparameters) -> Iterator[TrialConfig]:
    """Yield the config of a variant, and those with one searched setting changed."""
    yield space.config(flat, seed=0)
    for name, values in space.search.settings.items():
        for value in values:
            changed = tuple(sorted((dict(flat.settings) | {name: value}).items()))
            yield space.config(flat.model_copy(update={"settings": changed}), seed=0)
