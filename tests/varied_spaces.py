"""Spaces that search the recognizer and its training."""

from __future__ import annotations

from autohier.settings.loading import load_space
from autohier.settings.space import Space

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


def varied_demo(*overrides: str) -> Space:
    """The demo in three variants, and of each three training settings: one of every stage."""
    return load_space("demo", [*VARIANTS, *SETTINGS, *overrides])
