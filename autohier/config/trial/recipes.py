"""Registry of trial recipes, which packages extend.

A package adds a recipe through an entry point of the group ``autohier.recipes``. The entry point names an
`autohier.extensions.Extension` whose builder is a `RecipeFunction` of `autohier.core.recipes.base`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from autohier.errors import InputError
from autohier.extensions import Extension, Registry

DEFAULT_RECIPE = "hac"

RECIPES = Registry("autohier.recipes", "recipe", {DEFAULT_RECIPE: Extension("autohier.core.recipes.hac:hac")})


def _check_registered(name: str) -> str:
    try:
        RECIPES.find(name)
    except InputError as error:
        raise ValueError(str(error)) from error
    return name


RecipeName = Annotated[str, AfterValidator(_check_registered)]
"""Registered name of a recipe."""
