"""Selection of finished trials by name: SWEEP, SWEEP:VARIANT, SWEEP:each or SWEEP:TRIAL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from autohier.config.fusion import Member
from autohier.config.sweep import SweepPlan
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, nearest
from autohier.fusion.members import Log
from autohier.fusion.paths import find_fusion
from autohier.fusion.places import locate_member
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.sweep.paths import SweepFolder, clip_folder, find_sweep
from autohier.sweep.places import STORED, GivenFolders
from autohier.sweep.recovery.record_check import require_whole
from autohier.text import shell_words

EACH_VARIANT = "each"
"""Takes the place of a trial's name in SWEEP:each."""
_TRIAL_NAME = re.compile(r"[ct]\d+")


def find_member(name: str, out: Path, given: GivenFolders = STORED) -> Member:
    """Return one finished trial.

    Args:
        name: SWEEP (its best trial), SWEEP:VARIANT (best trial of the variant) or SWEEP:TRIAL; the sweep by
            its name below ``out`` or by its path.
        out: folder of the sweeps.
        given: folders that the user names.

    Raises:
        InputError: if the sweep does not exist, or the trial is not complete.
    """
    sweep, selector = _open(name, out, given)
    return sweep.member(sweep.complete_trial(selector))


def find_members(name: str, out: Path, log: Log, given: GivenFolders = STORED) -> list[Member]:
    """Return finished trials: as `find_member`, or for SWEEP:each the best of each variant, best first.

    Args:
        name: see `find_member`.
        out: folder of the sweeps.
        log: called with a line if variants have no complete trial.
        given: folders that the user names.

    Raises:
        InputError: if the sweep does not exist, or a trial is not complete.
    """
    sweep, selector = _open(name, out, given)
    if selector != EACH_VARIANT:
        return [sweep.member(sweep.complete_trial(selector))]
    best: dict[str, TrialRow] = {}
    for row in sweep.records.ranked():
        best.setdefault(row.variant, row)
    missing = [variant for variant in sweep.plan.space.search.variants if variant not in best]
    if missing:
        log(f"omitted from {name}, no complete trial: {', '.join(missing)}")
    return [sweep.member(row) for row in best.values() or [sweep.complete_trial(None)]]


def has_sweep(name: str, out: Path) -> bool:
    """Return whether the sweep in a trial's name exists."""
    return _split(name, out)[0].plan_file.is_file()


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Folder, plan and records of a sweep."""

    folder: SweepFolder
    plan: SweepPlan
    records: Records
    given: GivenFolders

    def complete_trial(self, selector: str | None) -> TrialRow:
        """Return a complete trial by its name, or the best one of a variant; for None the best of all."""
        for row in self.records.trials:
            if row.trial == selector and row.state == "COMPLETE":
                return row
        for row in self.records.ranked():
            if selector in (None, row.variant):
                return row
        states = {
            row.trial: "stopped" if row.state == "PRUNED" else row.state.lower()
            for row in self.records.trials
        }
        variants = sorted({row.variant for row in self.records.ranked()} - {""})
        names_variant = selector is not None and not _TRIAL_NAME.fullmatch(selector)
        raise InputError(
            f"a trial of {self.folder.path} must be complete",
            got=f"{selector}, which is {states[selector]}" if selector in states else selector or "none",
            hint=nearest(selector, variants)
            if names_variant and variants and selector
            else f"'{shell_words('autohier', 'status', self.folder.path)}' lists its trials",
        )

    def member(self, row: TrialRow) -> Member:
        """Return a complete trial as a fusion member."""
        stages = self.records.stages_of(row.trial)[: (row.kept_pass or 0) + 2]
        clips = clip_folder(self.plan)
        member = Member(
            sweep=str(self.folder.path.resolve()),
            trial=row.trial,
            config=self.plan.space.config(params_of(row), seed=row.seed),
            stage_keys=tuple(stage.store_keys for stage in stages),
            stage_folder=self.plan.stage_folder,
            clip_folder=str(clips),
            clips_fingerprint=self.plan.clips_fingerprint or ClipStore.open(clips).fingerprint,
            accuracy=row.accuracy or 0.0,
        )
        return locate_member(member, (), self.given)


def _open(name: str, out: Path, given: GivenFolders) -> tuple[_Sweep, str | None]:
    """Return the sweep in a name, and the name's part after the colon."""
    folder, selector = _split(name, out)
    if not folder.plan_file.is_file() and (fusion := find_fusion(name, out)):
        members = shell_words(*(_full_name(member, out) for member in fusion.read(given).members))
        raise InputError(
            "fusion members must be trials", got=f"the fusion {name}", hint=f"name its members: {members}"
        )
    plan, _ = folder.read_plan()
    return _Sweep(folder, plan, require_whole(folder, plan), given), selector


def _full_name(member: Member, out: Path) -> str:
    """Return a name that selects a member: with the path of its sweep unless that is in ``out``."""
    is_below = Path(member.sweep).parent == out.resolve()
    return member.name if is_below else f"{member.sweep}:{member.trial}"


def _split(name: str, out: Path) -> tuple[SweepFolder, str | None]:
    whole = find_sweep(name, out)
    sweep, separator, selector = name.rpartition(":")
    if whole.plan_file.is_file() or not separator:
        return whole, None
    return find_sweep(sweep, out), selector
