"""Tests that no setting takes true or false for a number."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

import autohier.config
from autohier.config.frozen import FrozenModel
from autohier.config.search.loading import load_params, load_space
from autohier.errors import InputError


def settings_classes() -> Iterator[type[FrozenModel]]:
    """Yield every class of settings and of stored values in ``autohier.config``."""
    for module in pkgutil.walk_packages(autohier.config.__path__, "autohier.config."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, FrozenModel) and value.__module__ == module.name:
                yield value


def leaves(annotation: object) -> Iterator[object]:
    parts = () if get_origin(annotation) is Literal else get_args(annotation)
    yield from (leaf for part in parts for leaf in leaves(part)) if parts else (annotation,)


NUMBERS = [
    pytest.param(model, name, id=f"{model.__name__}.{name}")
    for model in settings_classes()
    for name, field in model.model_fields.items()
    if (own := set(leaves(field.annotation))) & {int, float} and not own & {bool, Any, object}
]


def faults_of(model: type[BaseModel], values: dict[str, object], name: str) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError, match=r"should be a valid (number|integer)") as raised:
        model.model_validate(values)
    faults = raised.value.errors()
    return [(each["type"], each["loc"][1:]) for each in faults if each["loc"][0] == name]


def test_there_are_such_settings() -> None:
    names = {param.id for param in NUMBERS}
    assert {"ScaledRecognizerSettings.width", "Pass1Settings.epochs", "SearchRanges.ratios"} <= names
    assert len(names) > 60


@pytest.mark.parametrize(("model", "name"), NUMBERS)
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number(model: type[FrozenModel], name: str, *, value: bool) -> None:
    (alone,) = faults_of(model, {name: value}, name)
    assert alone[0] in {"int_type", "float_type"}
    annotation = model.model_fields[name].annotation
    if any(get_origin(part) is tuple for part in (annotation, *get_args(annotation))):
        assert faults_of(model, {name: [2, value]}, name) == [(alone[0], (1,))]


def test_settings_that_are_true_or_false_stay_so() -> None:
    space = load_space("demo", ["clips.flip=false", "numerics.deterministic=true"])
    assert (space.clips.flip, space.numerics.deterministic) == (False, True)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("recognizer.width=true", r"recognizer\.width must be a number, but got true$"),
        ("pass_1.epochs=false", r"pass_1\.epochs must be a whole number, but got false$"),
        ("search.ratios=[0.1, true]", r"value 2 of search\.ratios must be a number, but got true$"),
        ("search.settings={'recognizer.width'=[true, 0.5]}", r"\.width must be a number, but got true$"),
        ("search.variants={a={recognizer={width=false}}}", r"\.width must be a number, but got false$"),
        (
            "optimisation={schedule='plateau', schedule_options={lr_factor=true}}",
            r"lr_factor must be a number",
        ),
    ],
)
def test_a_space_says_so_in_the_words_of_its_file(override: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        load_space("demo", [override, "initial=[]"])


def test_hyperparameters_are_no_booleans() -> None:
    with pytest.raises(InputError, match=r"passes must be a whole number, but got true$"):
        load_params(load_space("demo"), ["passes=true"])
    with pytest.raises(InputError, match=r"value 1 of superclasses must be a whole number, but got true$"):
        load_params(load_space("demo"), ["superclasses=true"])
