"""Finished trials of a sweep by name: SWEEP (its best trial), SWEEP:VARIANT or SWEEP:TRIAL.

SWEEP:TRIAL@PASS is another pass of a trial's chain than the one that it kept, e.g. "demo:t0007@prune-2", as
the members of a Pareto front are named. Its trial may have been stopped later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from autohier.config.sweep import SweepPlan
from autohier.errors import InputError, nearest
from autohier.records.reader import Records
from autohier.records.schema import TrialRow
from autohier.sweep.choice.front import pass_name
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

        A name with a pass, e.g. "t0007@prune-2", returns the trial as if it had kept that pass.

        Raises:
            InputError: if there is none, or the trial has not finished the pass.
        """
        name, at, label = (selector or "").partition("@")
        if at:
            named = (row for row in self.records.trials if row.trial == name)
            row = next(named, None) or self._complete_trial(name)
            return with_pass(self.records, row, label)
        return self._complete_trial(selector)

    def _complete_trial(self, selector: str | None) -> TrialRow:
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


def with_pass(records: Records, row: TrialRow, label: str) -> TrialRow:
    """Return a trial as if it had kept a pass of its chain, with what that pass measured.

    Args:
        records: of its sweep.
        row: the trial; it may have been stopped after the pass.
        label: of the pass as it stands in names, e.g. "pass-2" or "prune-1".

    Raises:
        InputError: if the trial has not finished such a pass.
    """
    chain = records.chain_of(row.trial)
    labels = [pass_name(stage.label) for stage in chain]
    if label not in labels:
        raise InputError(
            f"{row.trial} must have finished the pass that follows its name",
            got=label,
            hint=f"name one of {', '.join(labels)}" if labels else "it has finished none",
        )
    index = labels.index(label)
    stage = chain[index]
    by_class = stage.stack_mean_class_accuracies
    return replace(
        row,
        kept_pass=index,
        accuracy=stage.accuracy,
        mean_class_accuracy=by_class[-1] if by_class else None,
        parameters=stage.parameters,
        multiply_adds=stage.multiply_adds,
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
