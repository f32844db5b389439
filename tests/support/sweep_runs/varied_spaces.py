"""Search spaces with variants of the recognizer and searched training settings."""

from __future__ import annotations

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace

VARIANTS = (
    "search.variants.plain={}",
    "search.variants.wide.recognizer.width=0.25",
    "search.variants.deep={recognizer={name='inflated-resnet34', width=0.125}, pass_2.epochs=4}",
)
SETTINGS = (
    "search.settings.clips.min_scale=[0.5, 0.75, 1.0]",
    "search.settings.pass_2.learning_rate=[1e-3, 2e-3]",
    "search.settings.pruning.norm=['l2', 'layer-mean']",
)


def varied_demo(*overrides: str) -> SearchSpace:
    """Return the demo with three variants and three searched training settings, one of every stage."""
    return load_space("demo", [*VARIANTS, *SETTINGS, *overrides])
