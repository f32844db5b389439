"""The validation that ``auto`` becomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from autohier.data.protocols import Protocol
from autohier.data.store.table import ClipTable
from autohier.data.validation_choice import choose_validation, few_clips_text

RULE = Protocol("x", "subject", (1, 2, 3), (4,), default_held_out=(3,))


def table(subjects: list[int], parts: Sequence[tuple[str, ...]] | None = None) -> ClipTable:
    ones = np.ones(len(subjects), dtype=np.int64)
    return ClipTable(
        clip_id=tuple(f"{row:06d}" for row in range(len(subjects))),
        label=np.zeros(len(subjects), dtype=np.int64),
        subject=np.array(subjects),
        camera=ones,
        setup=ones,
        num_frames=ones,
        parts=tuple(parts or [()] * len(subjects)),
    )


@pytest.mark.parametrize(
    ("num_held_out", "num_classes", "expected"),
    [
        (50, 10, "clean"),
        (49, 1, "folds"),  # fewer than 50 clips
        (60, 12, "clean"),
        (59, 12, "folds"),  # fewer than 5 clips of each of 12 classes
    ],
)
def test_a_small_hold_out_is_replaced_by_folds(num_held_out: int, num_classes: int, expected: str) -> None:
    clips = table([1] * 300 + [2] * 300 + [3] * num_held_out + [4])
    choice = choose_validation(clips, RULE, num_classes=num_classes, num_folds=4)
    assert choice.validation == expected
    assert str(num_held_out) in choice.reason
    # Three subjects train, so that there are at most three folds.
    assert choice.num_folds == (3 if expected == "folds" else None)


def test_a_hold_out_of_one_clip_is_named_in_the_singular() -> None:
    assert few_clips_text(1, 7) == "1 validation clip, fewer than 50"
    assert few_clips_text(0, 7) == "0 validation clips, fewer than 50"


def test_one_training_subject_has_no_folds() -> None:
    rule = Protocol("x", "subject", (1,), (2,))
    assert choose_validation(table([1, 1, 2]), rule, num_classes=2, num_folds=4).validation == "clean"


def test_a_list_of_the_source_comes_first() -> None:
    rule = Protocol("x", "parts", ("train",), ("test",), validation=("val",))
    parts = [("train",), ("val",), ("val",), ("test",)]
    choice = choose_validation(table([1, 2, 3, 4], parts), rule, num_classes=2, num_folds=4)
    assert choice.validation == "listed"
    assert choice.reason == "the source lists 2 validation clips (val)"


def test_a_list_without_clips_in_the_store_does_not_validate() -> None:
    rule = Protocol("x", "parts", ("train",), ("test",), validation=("val",))
    choice = choose_validation(
        table([1, 2, 3], [("train",)] * 2 + [("test",)]), rule, num_classes=2, num_folds=2
    )
    assert choice.validation == "folds"
