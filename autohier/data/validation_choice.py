"""Choice of the validation for a store: the rule behind ``validation = "auto"``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from autohier.data.protocols import Protocol
from autohier.data.splits import default_held_out, listed_mask, split_masks
from autohier.data.store.table import ClipTable
from autohier.text import plural

MIN_CLIPS: Final = 50
"""Fewest validation clips of a single hold-out; one clip more or less is then 2 points of accuracy."""
MIN_CLIPS_PER_CLASS: Final = 5
"""Fewest validation clips per class on average."""


@dataclass(frozen=True, slots=True)
class ValidationChoice:
    """Validation that fits a store."""

    validation: Literal["listed", "folds", "clean"]
    num_folds: int | None
    """Number of folds; None for the others."""
    reason: str
    """Reason in words, after "because"."""


def choose_validation(
    clips: ClipTable, rule: Protocol, *, num_classes: int, num_folds: int
) -> ValidationChoice:
    """Choose the source of validation clips.

    - ``listed`` if the protocol has a validation list with clips in the store;
    - else ``folds`` if a single hold-out would leave fewer than 50 validation clips or 5 a class on average,
      and two or more subjects (or setups) train;
    - else ``clean``.

    Args:
        clips: table of the store.
        rule: one of the store's protocols.
        num_classes: number of classes.
        num_folds: number of folds; fewer subjects give as many folds as there are.
    """
    is_train, is_test = split_masks(clips, rule)
    if rule.validation and (num_listed := int((listed_mask(clips, rule) & ~is_test).sum())):
        names = ", ".join(rule.validation)
        return ValidationChoice(
            "listed", None, f"the source lists {plural(num_listed, 'validation clip')} ({names})"
        )
    values = getattr(clips, rule.held_out_column)[is_train]
    held_out = default_held_out(clips, rule)
    num_held_out = int(np.isin(values, held_out).sum())
    too_small = too_small_reason(num_held_out, num_classes)
    num_values = len(np.unique(values))
    if too_small and num_values > 1:
        return ValidationChoice("folds", min(num_folds, num_values), too_small)
    return ValidationChoice("clean", None, f"a single hold-out leaves {plural(num_held_out, 'clip')}")


def too_small_reason(num_clips: int, num_classes: int) -> str:
    """Return the reason against a single hold-out of this number of clips, empty if there is none."""
    few = few_clips_text(num_clips, num_classes)
    return f"a single hold-out would leave {few}" if few else ""


def few_clips_text(num_clips: int, num_classes: int) -> str:
    """Return the number of validation clips and the one that it is below, empty if it is large enough."""
    if num_clips < MIN_CLIPS:
        return f"{plural(num_clips, 'validation clip')}, fewer than {MIN_CLIPS}"
    if num_clips < MIN_CLIPS_PER_CLASS * num_classes:
        few = f"{plural(num_clips, 'validation clip')} of {num_classes} classes"
        return f"{few}, fewer than {MIN_CLIPS_PER_CLASS} a class"
    return ""
