"""Finished trials of a sweep by name: SWEEP (its best trial), SWEEP:VARIANT or SWEEP:TRIAL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autohier.config.sweep import SweepPlan
from autohier.errors import InputError, nearest
from autohier.records.reader import Records
from autohier.records.schema import TrialRow
from autohier.sweep.paths import SweepFolder, find_sweep
from autohier.sweep.recovery.record_check import require_whole
from autohier.text import shell_words

_TRIAL_NAME: Final = re.compile(r"[ct]\d+")


@dataclass(frozen=True, slots=True)
class RecordedSweep:
    """Folder, plan and whole records of a sweep."""

    folder: SweepFolder
    plan: SweepPlan
    records: Records

    def complete_trial(self, selector: str | None) -> TrialRow:
        """Return a complete trial by its name, or the best one of a variant; for None the best of all.

        Raises:
            InputError: if there is none.
        """
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


def split_trial_name(name: str, out: Path) -> tuple[SweepFolder, str | None]:
    """Return the sweep in a trial's name, which need not exist, and the part after the colon.

    Args:
        name: SWEEP or SWEEP:SELECTOR; the sweep by its name below ``out`` or by its path.
        out: folder of the sweeps.
    """
    whole = find_sweep(name, out)
    sweep, separator, selector = name.rpartition(":")
    if whole.plan_file.is_file() or not separator:
        return whole, None
    return find_sweep(sweep, out), selector


def read_sweep(folder: SweepFolder) -> RecordedSweep:
    """Read a sweep's plan and records.

    Raises:
        InputError: if the folder holds no sweep, or its records are not whole.
    """
    plan, _ = folder.read_plan()
    return RecordedSweep(folder, plan, require_whole(folder, plan))
