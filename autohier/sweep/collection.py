"""Garbage collection of the stage store: who uses its stages, which must stay, and removing the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autohier.core.stages.inventory import StoredStage, choose_evicted, evict, list_store
from autohier.records.reader import Records, read_outcomes
from autohier.settings.fusion import Fusion
from autohier.sweep.folder import SweepFolder, stage_folder
from autohier.sweep.fusions import read_fusions
from autohier.sweep.lock import driver_of

_NUM_BEST = 3
"""Trials of every sweep whose stages stay."""
_UNFINISHED_STAYS = timedelta(days=1)
_CLOCK_SLACK = timedelta(minutes=10)
"""By how much the clock of a file server may be behind that of a driver."""


@dataclass(frozen=True, slots=True)
class SweepUse:
    """What is known of one sweep's use of the stage store beside it."""

    name: str
    records: Records
    """Trials and stages alone."""
    living_since: datetime | None
    """When it was created, where a driver holds it now; a trial's stages are in no record before it ends."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collection did, or would do."""

    stored: tuple[StoredStage, ...]
    """All that lay in the store."""
    needed: Mapping[Path, str]
    """Why something had to stay, by its path."""
    removed: tuple[StoredStage, ...]


def read_sweeps(out: Path) -> tuple[SweepUse, ...]:
    """The sweeps in a folder, by name.

    Raises:
        InputError: where the records of one cannot be read, or the description of a living one.
    """
    folders = [SweepFolder(path.parent) for path in sorted(out.glob("*/sweep.json"))]
    return tuple(_read_sweep(folder) for folder in folders)


def users_of_stages(sweeps: Sequence[SweepUse]) -> dict[str, dict[str, list[str]]]:
    """By the key of a stage: the trials that ended with it, by the name of their sweep."""
    users: dict[str, dict[str, list[str]]] = {}
    for sweep in sweeps:
        for row in sweep.records.stages:
            for key in row.store_keys:
                users.setdefault(key, {}).setdefault(sweep.name, []).append(row.trial)
    return users


def needed_stages(
    stored: Sequence[StoredStage],
    sweeps: Sequence[SweepUse],
    fusions: Mapping[str, Fusion],
    now: datetime,
) -> dict[Path, str]:
    """What must stay, and why.

    That is what a living sweep has recorded, or may use because it was used since the sweep was created; the
    stages of every sweep's best trials and of the members of fusions, their refits included; and unfinished
    stages younger than a day.

    Args:
        stored: all that lies in the store.
        sweeps: that use it.
        fusions: that use it, by name.
        now: with a time zone.
    """
    by_key = _needed_keys(sweeps, fusions)
    by_recipe = {
        stage.summary.recipe: by_key[stage.key] for stage in stored if stage.summary and stage.key in by_key
    }
    reasons: dict[Path, str | None] = {}
    for stage in stored:
        told = stage.summary
        reason = _used_now(stage, sweeps) or _young(stage, now)
        if stage.place == "finished":
            reason = reason or by_key.get(stage.key)
        if told is not None and told.refit:
            reason = reason or by_recipe.get(told.recipe)
        reasons[stage.path] = reason
    return {path: reason for path, reason in reasons.items() if reason is not None}


def collect(out: Path, *, keep_bytes: float, dry_run: bool = False) -> Collection:
    """Evict from the store in ``out``, least recently used first, until it holds at most ``keep_bytes``.

    What is needed stays, also where the limit cannot be met then.

    Args:
        out: where sweeps and finished stages lie.
        keep_bytes: finished stages, unfinished ones and quarantine together.
        dry_run: tell what would go, and remove nothing.

    Raises:
        MissingDataError: where there is no store.
        InputError: where a sweep or a fusion cannot be read, so that what it needs is not known.
        OSError: where something may not be removed.
    """
    folder = stage_folder(out)
    stored = list_store(folder)
    needed = needed_stages(stored, read_sweeps(out), read_fusions(out), datetime.now(UTC))
    chosen = choose_evicted(stored, keep_bytes=keep_bytes, needed=needed)
    removed = chosen if dry_run else tuple(stage for stage in chosen if evict(folder, stage))
    return Collection(stored, needed, removed)


def _read_sweep(folder: SweepFolder) -> SweepUse:
    # Asked before its records are read: a trial that ends in between is in the records.
    living = driver_of(folder.lock_file) is not None
    created_at = datetime.fromisoformat(folder.read_plan()[1].created_at) if living else None
    return SweepUse(folder.path.name, read_outcomes(folder.records), created_at)


def _needed_keys(sweeps: Sequence[SweepUse], fusions: Mapping[str, Fusion]) -> dict[str, str]:
    by_key: dict[str, str] = {}
    for sweep in sweeps:
        best = {trial.trial for trial in sweep.records.ranked()[:_NUM_BEST]}
        for row in sweep.records.stages:
            if sweep.living_since is not None:
                by_key.update(dict.fromkeys(row.store_keys, _runs(sweep)))
            elif row.trial in best:
                for key in row.store_keys:
                    by_key.setdefault(key, f"best trials of {sweep.name}")
    for name, fusion in fusions.items():
        for key in fusion.stage_keys:
            by_key.setdefault(key, f"fusion {name}")
    return by_key


def _used_now(stage: StoredStage, sweeps: Sequence[SweepUse]) -> str | None:
    if stage.place != "quarantine":
        for sweep in sweeps:
            if sweep.living_since is not None and stage.last_used >= sweep.living_since - _CLOCK_SLACK:
                return _runs(sweep)
    return None


def _young(stage: StoredStage, now: datetime) -> str | None:
    young = stage.place == "partial" and now - stage.last_used < _UNFINISHED_STAYS
    return "unfinished for less than a day" if young else None


def _runs(sweep: SweepUse) -> str:
    return f"{sweep.name} is running"
