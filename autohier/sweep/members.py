"""Finished trials: found by the names that people give them, opened again, and asked about clips."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
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
from autohier.settings.frozen import nearest
from autohier.settings.fusion import Member
from autohier.settings.sweep import SweepPlan
from autohier.sweep.folder import SweepFolder, check_same_clips, clip_folder, find_sweep
from autohier.sweep.fusions import find_fusion

SplitName = Literal["validation", "test"]
Opener = Callable[[Member], OpenTrial]
"""Opens a finished trial on some device; see open_member."""
Say = Callable[[str], None]
_TRIAL = re.compile(r"t\d+")
EACH_VARIANT = "each"
"""In the place of a trial's name."""


def find_member(name: str, out: Path) -> Member:
    """A finished trial.

    Args:
        name: SWEEP, whose best trial is meant, SWEEP:VARIANT, whose best trial of a variant, or SWEEP:TRIAL;
            a sweep by its name below ``out`` or its path.
        out: where sweeps lie.

    Raises:
        InputError: where there is no such sweep, or the trial is not complete.
    """
    sweep, within = _open(name, out)
    return sweep.member(sweep.complete(within))


def find_members(name: str, out: Path, say: Say) -> list[Member]:
    """Finished trials: as `find_member`, and for SWEEP:each the best trial of each variant, best first.

    Args:
        name: see find_member.
        out: where sweeps lie.
        say: told of variants that have none.

    Raises:
        InputError: where there is no such sweep, or a trial is not complete.
    """
    sweep, within = _open(name, out)
    if within != EACH_VARIANT:
        return [sweep.member(sweep.complete(within))]
    best: dict[str, TrialRow] = {}
    for row in sweep.records.ranked():
        best.setdefault(row.variant, row)
    missing = [variant for variant in sweep.plan.space.search.variants if variant not in best]
    if missing:
        say(f"left out of {name}, as none of its trials is complete: {', '.join(missing)}")
    return [sweep.member(row) for row in best.values() or [sweep.complete(None)]]


def is_of_sweep(name: str, out: Path) -> bool:
    """Whether there is the sweep of which a name speaks."""
    return _split(name, out)[0].plan_file.is_file()


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
    member: Member, split: SplitName, *, refitted: bool = False, opened: Opener, say: Say
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


@dataclass(frozen=True, slots=True)
class _Sweep:
    """A sweep's folder and what was read there."""

    folder: SweepFolder
    plan: SweepPlan
    records: Records

    def complete(self, within: str | None) -> TrialRow:
        """A complete trial by its name, or the best one of a variant; the best of all for None."""
        for row in self.records.trials:
            if row.trial == within and row.state == "COMPLETE":
                return row
        for row in self.records.ranked():
            if within in (None, row.variant):
                return row
        states = {row.trial: row.state.lower() for row in self.records.trials}
        found = sorted({row.variant for row in self.records.ranked()} - {""})
        names_variant = within is not None and not _TRIAL.fullmatch(within)
        raise InputError(
            f"a trial of {self.folder.path} must be complete",
            got=f"{within}, which is {states[within]}" if within in states else within or "none",
            remedy=nearest(within, found)
            if names_variant and found and within
            else f"'autohier status {self.folder.path}' lists its trials",
        )

    def member(self, row: TrialRow) -> Member:
        """What is to be known of one of its complete trials."""
        stages = self.records.stages_of(row.trial)[: (row.kept_pass or 0) + 2]
        clips = clip_folder(self.plan)
        return Member(
            sweep=str(self.folder.path.resolve()),
            trial=row.trial,
            setting=self.plan.space.setting(choice_of(row), seed=row.seed),
            stage_keys=tuple(stage.store_keys for stage in stages),
            stage_folder=self.plan.stage_folder,
            clip_folder=str(clips),
            clips_fingerprint=self.plan.clips_fingerprint or ClipStore.open(clips).fingerprint,
            accuracy=row.accuracy or 0.0,
        )


def _open(name: str, out: Path) -> tuple[_Sweep, str | None]:
    """The sweep of a name, and what the name says of its trials."""
    folder, within = _split(name, out)
    if not folder.plan_file.is_file() and (fusion := find_fusion(name, out)):
        members = " ".join(member.name for member in fusion.read().members)
        raise InputError("a fusion is of trials alone", got=f"the fusion {name}", remedy=f"name {members}")
    plan, _ = folder.read_plan()
    return _Sweep(folder, plan, read_outcomes(folder.records)), within


def _split(name: str, out: Path) -> tuple[SweepFolder, str | None]:
    whole = find_sweep(name, out)
    sweep, separator, trial = name.rpartition(":")
    if whole.plan_file.is_file() or not separator:
        return whole, None
    return find_sweep(sweep, out), trial
