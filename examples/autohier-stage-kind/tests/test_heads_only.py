"""The recipe passes autohier's contract suite."""

from autohier.testing.recipes import RecipeContract


class TestHeadsOnly(RecipeContract):
    recipe = "heads-only"
