"""A stage kind that trains the heads of pass 2 only, and a recipe that uses it. Imports no torch."""

from autohier.extensions import Extension

stage_kind = Extension("autohier_heads_only.kind:HeadsOnly")
trial_recipe = Extension("autohier_heads_only.recipe:heads_only")
