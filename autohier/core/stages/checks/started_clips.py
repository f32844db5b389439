"""Clips that a trial's starting weights were trained on, and that it validates or tests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autohier.core.stages.inputs import BaseInputs
from autohier.core.stages.network_description import TrainingClips
from autohier.core.stages.setup.splits import split_for
from autohier.data.store.reader import ClipStore
from autohier.text import plural


def started_clips_text(
    trained_on: TrainingClips | None, clips: ClipStore, bases: Sequence[BaseInputs]
) -> str:
    """Return a warning if starting weights have seen clips that a trial measures; empty if not.

    Clips are compared by their rows, so weights from another preparation of a dataset are not judged.

    Args:
        trained_on: clips that the weights were trained on; None if unknown.
        clips: prepared clips of the trial.
        bases: inputs of the trial, or of each of its folds.
    """
    if trained_on is None or trained_on.data != clips.fingerprint:
        return ""
    splits = [split_for(clips, base.training_clips) for base in bases]
    found = list(
        _seen(
            split_for(clips, trained_on).train,
            validation=[split.validation for split in splits],
            test=[splits[0].test],
        )
    )
    if not found:
        return ""
    return (
        f"WARNING: the starting weights were trained on {' and '.join(found)}, so that accuracies come out "
        "too high\n  start from other clips, or from a network with the same protocol and validation clips"
    )


def _seen(trained: NDArray[np.int64], **parts: list[NDArray[np.int64]]) -> Iterator[str]:
    for name, rows in parts.items():
        if num_seen := sum(int(np.isin(each, trained).sum()) for each in rows):
            yield f"{num_seen} of {plural(sum(map(len, rows)), f'{name} clip')}"
