"""Registry of trial recipes, which packages extend.

A package adds a recipe through an entry point of the group ``autohier.recipes``. The entry point names an
`autohier.extensions.Extension` whose builder is a `RecipeFunction` of `autohier.core.recipes.base`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

from autohier.config.trial.recognizers import (
    PartAttentionSettings,
    RecognizerSettings,
    ThreePathwaySettings,
)
from autohier.config.trial.training import Pass2Settings
from autohier.errors import InputError
from autohier.extensions import Extension, Registry

DEFAULT_RECIPE = "hac"

_JOINT: Final = "joint"
_ATTENTION: Final = "attention"

RECIPES = Registry(
    "autohier.recipes",
    "recipe",
    {
        DEFAULT_RECIPE: Extension("autohier.core.recipes.hac:hac"),
        _ATTENTION: Extension("autohier.core.recipes.attention:attention"),
        _JOINT: Extension("autohier.core.recipes.joint:joint"),
    },
)


def _check_registered(name: str) -> str:
    try:
        RECIPES.find(name)
    except InputError as error:
        raise ValueError(str(error)) from error
    return name


def find_recipe_fault(recipe: str, recognizer: RecognizerSettings, pass_2: Pass2Settings) -> str:
    """Return why a recipe cannot train a network; empty if it can."""
    if recipe == _ATTENTION:
        return _attention_fault(recognizer, pass_2)
    if recipe != _JOINT:
        return ""
    if not isinstance(recognizer, ThreePathwaySettings):
        return (
            f"the recipe {recipe} trains the recognizer three-pathway, but got {recognizer.name}; "
            "set recognizer.name = 'three-pathway', or recipe = 'hac'"
        )
    if recognizer.start:
        return (
            f"the recipe {recipe} trains its bases from recognizer.weights or random ones, but got "
            f"recognizer.start = {recognizer.start!r}; leave it out, or set recipe = 'hac'"
        )
    if pass_2.start == "initial":
        return f"the joint stage of recipe {recipe} starts from its bases; leave pass_2.start at 'pass-1'"
    return ""


def _attention_fault(recognizer: RecognizerSettings, pass_2: Pass2Settings) -> str:
    """Return why the recipe attention cannot train a network; empty if it can."""
    if not isinstance(recognizer, PartAttentionSettings) or recognizer.member != "whole":
        member = f" with member {recognizer.member}" if isinstance(recognizer, PartAttentionSettings) else ""
        return (
            f"the recipe {_ATTENTION} trains the whole recognizer part-attention-i3d, but got "
            f"{recognizer.name}{member}; set recognizer.name = 'part-attention-i3d' and leave member out, or "
            "set recipe = 'hac'"
        )
    if recognizer.start:
        return (
            f"the recipe {_ATTENTION} trains the members alone first, but got recognizer.start = "
            f"{recognizer.start!r}; set start_left_hand, start_right_hand and start_body, or recipe = 'hac'"
        )
    if pass_2.start == "initial":
        return (
            f"pass 2 of recipe {_ATTENTION} starts from the attention stage; leave pass_2.start at 'pass-1'"
        )
    return ""


RecipeName = Annotated[str, AfterValidator(_check_registered)]
"""Registered name of a recipe."""
