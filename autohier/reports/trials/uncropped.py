"""Flat baseline on uncropped frames, from another sweep of the same dataset, for the ablation of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autohier.config.sweep import Provenance
from autohier.config.trial.trial_config import TrialConfig
from autohier.data.store.manifest import StoreOptions, load_record
from autohier.data.store.paths import OPTIONS
from autohier.errors import InputError
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.paths import SweepFolder

_FLAT = ("dataset", "num_classes", "protocol", "clips", "recognizer", "optimisation", "pass_1", "numerics")
"""Settings of a trial that its pass 1 depends on."""


@dataclass(frozen=True, slots=True)
class Uncropped:
    """Trial whose pass 1 is the baseline without cropping."""

    sweep: str
    """Name of its sweep."""
    records: Records
    """Of its sweep."""
    trial: TrialRow


def find_uncropped(folder: SweepFolder, records: Records) -> Uncropped | None:
    """Find the pass 1 of the best trial among the sweeps in the same folder that read uncropped frames.

    Its sweep has the same dataset, protocol and settings of pass 1, and clips prepared with ``--no-crop``.
    The same seed comes first, then the first sweep by name.

    Args:
        folder: of a sweep.
        records: of the sweep.

    Returns:
        None if there is none, if the clips of this sweep are not cropped or hold skeletons alone, or if their
        store is gone.
    """
    best = next(iter(records.ranked()), None)
    if best is None:
        return None
    plan, provenance = folder.read_plan()
    if _is_cropped(provenance) is not True:
        return None
    own = plan.space.config(params_of(best), seed=best.seed)
    if own.clips.input == "skeletons":
        return None
    found = [each for other in _siblings(folder) for each in _same_pass_1(other, own)]
    return min(found, key=lambda each: each.trial.seed != best.seed, default=None)


def _siblings(folder: SweepFolder) -> Iterator[SweepFolder]:
    """Yield the other sweeps in a sweep's folder whose clips are not cropped."""
    own = folder.path.resolve()
    for path in sorted(own.parent.glob("*/sweep.json")):
        other = SweepFolder(path.parent)
        try:
            _, provenance = other.read_plan()
        except (InputError, OSError):
            continue  # a damaged sweep, or one of another version, is no part of this one's ablation
        if other.path != own and _is_cropped(provenance) is False:
            yield other


def _is_cropped(provenance: Provenance) -> bool | None:
    """Return True if a sweep's frames are cropped to persons; None if its store is gone."""
    if provenance.data is None:
        return None
    options = load_record(StoreOptions, Path(provenance.data.store) / OPTIONS)
    return None if options is None else options.cropped


def _same_pass_1(folder: SweepFolder, own: TrialConfig) -> Iterator[Uncropped]:
    """Yield the trials of a sweep that have trained the pass 1 of a config."""
    try:
        plan, _ = folder.read_plan()
        records = read_chosen(folder, plan)
    except (InputError, OSError):
        return
    for row in records.trials:
        if row.number is None or not records.stages_of(row.trial):
            continue
        config = plan.space.config(params_of(row), seed=row.seed)
        if all(getattr(config, name) == getattr(own, name) for name in _FLAT):
            yield Uncropped(folder.path.name, records, row)
