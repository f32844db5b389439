"""Finished trials: found by the names that people give them, opened again, and asked about clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from autohier.core.prediction import find_kept, predict_test, predict_validation
from autohier.core.stages.opening import OpenTrial, open_trial
from autohier.core.stages.reporter import Reporter
from autohier.core.stages.store import StageStore
from autohier.core.training.metrics import Predictions
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, MissingDataError
from autohier.records.reader import Records, choice_of, read_outcomes
from autohier.records.schema import TrialRow
from autohier.settings.fusion import Member
from autohier.sweep.folder import SweepFolder, check_same_clips, clip_folder, find_sweep

Split = Literal["validation", "test"]
Opener = Callable[[Member], OpenTrial]
"""Opens a finished trial on some device; see open_member."""
Say = Callable[[str], None]


def find_member(name: str, out: Path) -> Member:
    """A finished trial.

    Args:
        name: SWEEP, whose best trial is meant, or SWEEP:TRIAL; a sweep by its name below ``out`` or its path.
        out: where sweeps lie.

    Raises:
        InputError: where there is no such sweep, or the trial is not complete.
    """
    folder, trial = _split(name, out)
    plan, _ = folder.read_plan()
    records = read_outcomes(folder.records)
    row = _complete(records, trial, folder)
    stages = records.stages_of(row.trial)[: (row.kept_pass or 0) + 2]
    clips = clip_folder(plan)
    return Member(
        sweep=str(folder.path.resolve()),
        trial=row.trial,
        setting=plan.space.setting(choice_of(row), seed=row.seed),
        stage_keys=tuple(stage.store_keys for stage in stages),
        stage_folder=plan.stage_folder,
        clip_folder=str(clips),
        clips_fingerprint=plan.clips_fingerprint or ClipStore.open(clips).fingerprint,
        accuracy=row.accuracy or 0.0,
    )


def open_member(member: Member, *, reporter: Reporter, device: str, num_threads: int) -> OpenTrial:
    """Open a finished trial, its clips and its stages.

    Raises:
        MissingDataError: where its clips are gone, or the stage store.
        InputError: where clips are not those that it was trained with.
    """
    if not Path(member.stage_folder).is_dir():
        raise MissingDataError(
            f"the stage store of {member.name} must be where it was",
            got=f"nothing at {member.stage_folder}",
            remedy="move it back, or search again",
        )
    clips = ClipStore.open(Path(member.clip_folder))
    check_same_clips(clips, member.clips_fingerprint)
    return open_trial(
        member.setting,
        clips=clips,
        stages=StageStore(Path(member.stage_folder)),
        reporter=reporter,
        device=device,
        num_threads=num_threads,
    )


def predict_member(
    member: Member, split: Split, *, refitted: bool = False, opened: Opener, say: Say
) -> Predictions:
    """What a finished trial takes the clips of a split for.

    Args:
        member: the trial.
        split: "validation" or "test".
        refitted: on the test split, ask the network that is refit on all training clips; it is trained where
            it is not in the stage store.
        opened: opens it.
        say: told what comes next.

    Raises:
        InputError, MissingDataError: see open_member.
        TrialError: where training what is not in the stage store fails.
    """
    # Opened now, as opening a trial sets this process up for its numerics.
    trial = opened(member)
    say(f"{member.name}: predicting {split} clips{', refit on all training clips' if refitted else ''}")
    kept = find_kept(trial, member.kept_pass, member.stage_keys[-1])
    if split == "validation":
        return predict_validation(trial, kept)
    return predict_test(trial, kept, refitted=refitted)


def class_names(member: Member) -> tuple[str, ...]:
    """The classes that a finished trial tells apart."""
    return ClipStore.open(Path(member.clip_folder)).manifest.class_names


def _split(name: str, out: Path) -> tuple[SweepFolder, str | None]:
    whole = find_sweep(name, out)
    sweep, separator, trial = name.rpartition(":")
    if whole.plan_file.is_file() or not separator:
        return whole, None
    return find_sweep(sweep, out), trial


def _complete(records: Records, trial: str | None, folder: SweepFolder) -> TrialRow:
    ranked = records.ranked()
    if trial is None and ranked:
        return ranked[0]
    for row in records.trials:
        if row.trial == trial and row.state == "COMPLETE":
            return row
    states = {row.trial: row.state.lower() for row in records.trials}
    raise InputError(
        f"a trial of {folder.path} must be complete",
        got=f"{trial}, which is {states[trial]}" if trial in states else trial or "none",
        remedy=f"'autohier status {folder.path}' lists its trials",
    )
