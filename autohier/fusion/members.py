"""Fusion members: opening a finished trial and predicting clips with its kept network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from autohier.config.fusion import Member
from autohier.config.trial.weights_files import require_weights
from autohier.core.prediction import find_kept_pass, predict_test, predict_validation
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import Predictions
from autohier.data.store.reader import ClipStore
from autohier.sweep.paths import check_same_clips, require_places

SplitName = Literal["validation", "test"]
MemberOpener = Callable[[Member], TrialSetup]
"""Opens a finished trial on some device; see `open_member`."""
Log = Callable[[str], None]
"""Prints a line of progress."""


def first_difference(name: str, values: Sequence[str], other: str, other_values: Sequence[str]) -> str:
    """Return the first difference between the values of two members, e.g. of their classes; "" if none."""
    for own, theirs in zip_longest(values, other_values, fillvalue="nothing"):
        if own != theirs:
            return f"{own} in {name}, and {theirs} in {other}"
    return ""


def open_member(member: Member, *, callback: TrialCallback, device: str, num_threads: int) -> TrialSetup:
    """Open a finished trial, its clips and its stages.

    Raises:
        MissingDataError: if its clips, its stage store or its 2D weights do not exist.
        InputError: if its clips changed since it was trained.
    """
    require_places(member.name, stages=Path(member.stage_folder), clips=Path(member.clip_folder))
    # A searched path among the hyperparameters is where the file was when the sweep started.
    require_weights(member.name, member.config.model_dump(mode="json", exclude={"params"}))
    clips = ClipStore.open(Path(member.clip_folder))
    check_same_clips(clips, member.clips_fingerprint)
    return open_trial(
        member.config,
        clips=clips,
        stages=StageStore(Path(member.stage_folder)),
        callback=callback,
        device=device,
        num_threads=num_threads,
    )


def predict_member(
    member: Member, split: SplitName, *, refitted: bool = False, opener: MemberOpener, log: Log
) -> Predictions:
    """Return the per-clip class probabilities of a finished trial on a split.

    Args:
        member: the trial.
        split: "validation" or "test".
        refitted: on the test split, use the network that is refit on all training clips; if the stage store
            lacks it, it is trained now.
        opener: opens the trial.
        log: called with a line before the prediction.

    Raises:
        InputError, MissingDataError: see `open_member`.
        TrialError: if a stage is missing from the stage store, and training it fails.
    """
    # Not opened in advance for all members: opening a trial sets up this process's numerics for it.
    trial = opener(member)
    log(f"{member.name}: predicting {split} clips{', refit on all training clips' if refitted else ''}")
    kept = find_kept_pass(trial, member.kept_pass, member.stage_keys[-1])
    if split == "validation":
        return predict_validation(trial, kept)
    return predict_test(trial, kept, refitted=refitted)


def class_names(member: Member) -> tuple[str, ...]:
    """Return the names of the classes that a finished trial recognizes."""
    return ClipStore.open(Path(member.clip_folder)).manifest.class_names
