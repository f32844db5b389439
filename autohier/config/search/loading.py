"""Loading of search spaces: a shipped name or a TOML file, with --set overrides applied to it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from autohier.config.frozen import validate
from autohier.config.search.retired import check_retired_names
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.overrides import GROUPS, remove_setting, resets_setting
from autohier.errors import InputError, InputFaults, nearest
from autohier.text import shell_words

_IN_STORE_NAMES = ("skeleton", "depth")
"""Modalities that the name of a prepared store may end with, e.g. ntu60-skeleton."""


def shipped_spaces() -> list[str]:
    """Return the names of the search spaces that come with the package, sorted."""
    folder = files("autohier").joinpath("search_spaces")
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def shipped_text(name: str) -> str:
    """Return the TOML text of a shipped search space; ``-`` in its name counts as ``_``."""
    return files("autohier").joinpath("search_spaces", f"{_file_name(name)}.toml").read_text("utf-8")


def load_space(name: str, overrides: Sequence[str] = ()) -> SearchSpace:
    """Load a search space by its shipped name or from a TOML file.

    An overridden recognizer, clip input or training setting holds for every trial: the same setting is
    removed from the variants, the searched settings and the initial configs of the file. The names of some
    variants as ``search.variants`` leave the other variants and their initial configs out.

    Args:
        name: ``demo``, ``ntu60``, ... or a path that ends in .toml.
        overrides: ``key=value`` texts; keys are dotted, values are TOML (a bare word is a string).

    Raises:
        InputError: if the name is unknown, the file is not TOML, or a setting is unknown, renamed or invalid.
            Names every fault of the overrides and of the file.
    """
    values, faults = _read_toml(name), InputFaults()
    sound: list[str] = []
    for override in overrides:
        with faults.collect():
            if not _choose_variants(values, override):
                _fix_for_all_trials(values, override)
                sound.append(override)
    for override in sound:
        with faults.collect():
            apply_override(values, override)
    _split_store_name(values)
    with faults.collect():
        check_retired_names(values, origin=name)
        space = validate(SearchSpace, values, origin=name)
    faults.check()
    return space


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split overrides into those of a single trial's hyperparameters and those of its space.

    Raises:
        InputError: if a name without a dot is neither.
    """
    own = [text for text in overrides if text.partition("=")[0].strip() in Hyperparameters.model_fields]
    general = [text for text in overrides if text not in own]
    for text in general:
        name = text.partition("=")[0].strip()
        if "=" in text and "." not in name and name not in SearchSpace.model_fields:
            valid = [*Hyperparameters.model_fields, *SearchSpace.model_fields]
            close = get_close_matches(name, valid, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"unknown setting {name!r}",
                hint=f"{hint}Hyperparameters are {', '.join(Hyperparameters.model_fields)}; settings of the "
                "space have dots, e.g. pass_1.epochs",
            )
    return own, general


def load_params(space: SearchSpace, overrides: Sequence[str]) -> Hyperparameters:
    """Return the hyperparameters of a single trial: the first initial config with overrides applied.

    Raises:
        InputError: if a key is unknown, a value is invalid, or the space has no initial config and the
            overrides leave out a value.
    """
    initial = space.initial[0].as_params().model_dump() if space.initial else {}
    changes = dict(map(parse_override, overrides))
    values, settings = initial | changes, changes.get("settings")
    if isinstance(settings, dict):
        values["settings"] = initial.get("settings", {}) | settings
    origin = f"{space.name}, hyperparameters"
    check_retired_names(values, origin=origin)
    missing = [
        name
        for name, field in Hyperparameters.model_fields.items()
        if field.is_required() and name not in values
    ]
    if missing:
        counts = "/".join(map(str, space.allowed_counts[: space.search.levels]))
        raise InputError(
            f"{space.name} has no initial config to start from, so every hyperparameter must be given",
            got=f"none of {', '.join(missing)}",
            hint=f"--set superclasses={counts} --set weight_ratio=0.5 --set scope=layerwise "
            "--set ratio=0.1 --set passes=2",
        )
    params = validate(Hyperparameters, values, origin=origin)
    if fault := space.find_superclass_fault(params):
        example = "/".join(map(str, space.allowed_counts[: space.search.levels]))
        raise InputError(
            f"the config must suit {space.name}, but {fault}",
            hint=f"write e.g. superclasses={example}, or change search.levels in the space",
        )
    return params


def parse_override(
    text: str, *, option: str = "--set", example: str = "pass_1.epochs=5"
) -> tuple[str, object]:
    """Split ``key=value`` and parse the value as TOML; a bare word is a string.

    Args:
        text: as the user wrote it.
        option: option of the command line that takes it, for the error.
        example: a valid text, for the error.

    Raises:
        InputError: if there is no ``=``.
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"{option} takes key=value", got=text, hint=f"write e.g. {option} {example}")
    try:
        parsed: object = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = value.strip()
    return key.strip(), parsed


def parse_toml(content: bytes, name: str, *, hint: str = "see search_spaces/demo.toml") -> dict[str, object]:
    """Return the tables of a TOML file.

    Raises:
        InputError: if it is not TOML; names the file.
    """
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name} must be TOML", got=error, hint=hint) from error


def apply_override(values: dict[str, object], text: str) -> None:
    """Set the value of a ``key=value`` text in nested tables; see `set_value`."""
    set_value(values, *parse_override(text))


def set_value(values: dict[str, object], key: str, value: object) -> None:
    """Set a value in nested tables by its dotted key.

    Raises:
        InputError: if the key leads through a value that is not a table.
    """
    *groups, last = key.split(".")
    for group in groups:
        inner = values.setdefault(group, {})
        if not isinstance(inner, dict):
            raise InputError(
                f"unknown setting {key!r}", hint=f"{group!r} is a value, not a group of settings"
            )
        values = inner
    values[last] = value


def _read_toml(name: str) -> dict[str, object]:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InputError(
                "the file of a search space must exist",
                got=path.absolute(),
                hint=f"correct the path, or name a shipped space: {', '.join(shipped_spaces())}",
            )
        return parse_toml(path.read_bytes(), name)
    if _file_name(name) not in shipped_spaces():
        hint = nearest(name, shipped_spaces())
        command = shell_words("autohier", "init", name, "--out", f"{name}.toml")
        if Path(f"{name}.toml").is_file():
            hint = f"did you mean the file {name}.toml?"
        elif name.endswith(_IN_STORE_NAMES):
            hint = f"for a prepared dataset, '{command}' writes one; {hint}"
        elif not hint.startswith("did you mean"):
            hint += f"; for a prepared dataset, '{command}' writes one"
        raise InputError(f"unknown search space {name!r}", hint=hint)
    return parse_toml(shipped_text(name).encode(), name)


def _file_name(name: str) -> str:
    """Return the name of a shipped space for a name as datasets and their stores are written."""
    return name.lower().replace("-", "_")


def _split_store_name(values: dict[str, object]) -> None:
    """Replace the name of a prepared store by its dataset and modality: ntu60-skeleton is ntu60, skeleton."""
    dataset, clips = values.get("dataset"), values.get("clips", {})
    if not isinstance(dataset, str) or not isinstance(clips, dict):
        return  # reported when the space is validated
    name, _, modality = dataset.strip().lower().replace("_", "-").rpartition("-")
    if name and modality in _IN_STORE_NAMES and clips.get("modality") in (None, modality):
        values["dataset"] = name
        values["clips"] = {**clips, "modality": modality}


def _fix_for_all_trials(values: dict[str, object], text: str) -> None:
    """Remove an overridden setting from the tables in which the trials of a space file differ."""
    name, value = parse_override(text)
    search = values.get("search")
    if name.partition(".")[0] not in GROUPS or not isinstance(search, dict):
        return
    for table in (search.get("settings"), *_initial_settings(values)):
        remove_setting(table, name)
    variants = search.get("variants")
    for table in variants.values() if isinstance(variants, dict) else ():
        remove_setting(table, name)
        if resets_setting(table, name):
            table[name] = value


def _choose_variants(values: dict[str, object], text: str) -> bool:
    """Leave out the variants that an override does not name; return False if it is another override.

    Their initial configs go, too, and their names in ``assumes_2d_weights``.

    Raises:
        InputError: if the space has no variant of a name.
    """
    key, chosen = parse_override(text)
    names = [chosen] if isinstance(chosen, str) else chosen
    if key != "search.variants" or not isinstance(names, list):
        return False
    search = values.get("search")
    variants = search.get("variants") if isinstance(search, dict) else None
    if not isinstance(search, dict) or not isinstance(variants, dict) or not variants:
        raise InputError("cannot choose variants of a space without any", got=text, hint="leave it out")
    for name in names:
        if name not in variants:
            raise InputError(f"unknown variant {name!r}", hint=nearest(str(name), list(variants)))
    search["variants"] = {name: table for name, table in variants.items() if name in names}
    initial, assumes = values.get("initial"), values.get("assumes_2d_weights")
    if isinstance(initial, list):
        values["initial"] = [
            config for config in initial if not isinstance(config, dict) or config.get("variant") in names
        ]
    if isinstance(assumes, list):
        values["assumes_2d_weights"] = [name for name in assumes if name in names]
    return True


def _initial_settings(values: Mapping[str, object]) -> Iterator[object]:
    initial = values.get("initial")
    for config in initial if isinstance(initial, list) else ():
        if isinstance(config, dict):
            yield config.get("settings")
