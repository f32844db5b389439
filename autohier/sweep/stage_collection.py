"""Garbage collection of the stage store: finds the stages that sweeps need and evicts others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autohier.core.stages.store.listing import StoredStage, choose_evicted, evict, list_store
from autohier.records.reader import Records
from autohier.sweep.choice.front import sweep_front
from autohier.sweep.locking.sweep_lock import driver_of
from autohier.sweep.paths import SweepFolder, stage_folder
from autohier.sweep.plans.starts import start_stages
from autohier.sweep.recovery.record_check import read_checked, require_whole

_NUM_BEST = 3
"""Number of best trials of every sweep whose stages stay."""
_UNFINISHED_STAYS = timedelta(days=1)
_CLOCK_SLACK = timedelta(minutes=10)
"""Largest difference between the clocks of a file server and of a driver."""


@dataclass(frozen=True, slots=True)
class SweepUse:
    """Use of the stage store by one sweep."""

    name: str
    records: Records
    """Trials and stages only."""
    running_since: datetime | None
    """Creation time of the sweep if a driver runs it now, else None. The stages of a running trial are not
    recorded yet."""
    starts: tuple[str, ...] = ()
    """Keys of the stages that its trials start from; see `autohier.sweep.plans.starts`."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Result of one collection, or of a dry run."""

    stored: tuple[StoredStage, ...]
    """Everything in the store before the collection."""
    needed: Mapping[Path, str]
    """Reason why a stage must stay, by its path."""
    removed: tuple[StoredStage, ...]


def read_sweeps(out: Path, *, strict: bool = True) -> tuple[SweepUse, ...]:
    """Return the sweeps in a folder, by name.

    Args:
        out: folder of the sweeps.
        strict: False leaves out records that are damaged.

    Raises:
        InputError: if the plan or, if strict, the records of a sweep cannot be read or do not agree with its
            study.
    """
    folders = [SweepFolder(path.parent) for path in sorted(out.glob("*/sweep.json"))]
    return tuple(_read_sweep(folder, strict=strict) for folder in folders)


def users_of_stages(sweeps: Sequence[SweepUse]) -> dict[str, dict[str, list[str]]]:
    """Return the trials that ended with a stage, by the stage's key and by the name of their sweep."""
    users: dict[str, dict[str, list[str]]] = {}
    for sweep in sweeps:
        for row in sweep.records.stages:
            for key in row.store_keys:
                users.setdefault(key, {}).setdefault(sweep.name, []).append(row.trial)
    return users


def needed_stages(
    stored: Sequence[StoredStage],
    sweeps: Sequence[SweepUse],
    protected: Mapping[str, str],
    now: datetime,
) -> dict[Path, str]:
    """Return the reason why a stage must stay, by its path, for all such stages.

    These are the stages that a running sweep has recorded, and those used since it was created, which its
    trials may use; the stages of every sweep's best trials, those of the Pareto front if the sweep seeks one,
    and the protected ones, with their refits; those that the trials of a sweep start from; and unfinished
    stages younger than a day.

    Args:
        stored: everything in the store.
        sweeps: sweeps that use the store.
        protected: reason why a stage is protected, by its key.
        now: current time with a time zone.
    """
    by_key = _needed_keys(sweeps, protected)
    by_inputs = {
        stage.summary.inputs_digest: by_key[stage.key]
        for stage in stored
        if stage.summary and stage.key in by_key
    }
    reasons: dict[Path, str | None] = {}
    for stage in stored:
        summary = stage.summary
        reason = _used_by_running(stage, sweeps) or _young(stage, now)
        if stage.place == "finished":
            reason = reason or by_key.get(stage.key)
        if summary is not None and summary.refit:
            reason = reason or by_inputs.get(summary.inputs_digest)
        reasons[stage.path] = reason
    return {path: reason for path, reason in reasons.items() if reason is not None}


def collect(
    out: Path,
    *,
    keep_bytes: float,
    protected: Callable[[Path], Mapping[str, str]],
    dry_run: bool = False,
) -> Collection:
    """Evict the least recently used stages in ``out`` until the store holds at most ``keep_bytes``.

    Needed stages stay even if the store then exceeds the limit.

    Args:
        out: folder of sweeps and of their stage store.
        keep_bytes: limit of finished stages, unfinished stages and quarantine together.
        protected: given ``out``, returns why a stage must stay, by its key, e.g. as a fusion member. Called
            after the store is listed, so that stages protected in the meantime stay.
        dry_run: return the stages that would go, and remove nothing.

    Raises:
        MissingDataError: if there is no store.
        InputError: if a sweep cannot be read, so that its needed stages are unknown.
        OSError: if a stage may not be removed.
    """
    folder = stage_folder(out)
    stored = list_store(folder)
    needed = needed_stages(stored, read_sweeps(out), protected(out), datetime.now(UTC))
    chosen = choose_evicted(stored, keep_bytes=keep_bytes, needed=needed)
    removed = chosen if dry_run else tuple(stage for stage in chosen if evict(folder, stage))
    return Collection(stored, needed, removed)


def _read_sweep(folder: SweepFolder, *, strict: bool) -> SweepUse:
    # Before the records are read: a trial that ends in between is then in the records.
    is_running = driver_of(folder.lock_file) is not None
    plan, provenance = folder.read_plan()
    created_at = datetime.fromisoformat(provenance.created_at) if is_running else None
    records = require_whole(folder, plan) if strict else read_checked(folder, plan, with_epochs=False).records
    return SweepUse(folder.path.name, records, created_at, tuple(start_stages(plan)))


def _needed_keys(sweeps: Sequence[SweepUse], protected: Mapping[str, str]) -> dict[str, str]:
    by_key: dict[str, str] = {}
    for sweep in sweeps:
        for key in sweep.starts:
            by_key.setdefault(key, f"start of {sweep.name}")
        best = {trial.trial for trial in sweep.records.ranked()[:_NUM_BEST]}
        for row in sweep.records.stages:
            if sweep.running_since is not None:
                by_key.update(dict.fromkeys(row.store_keys, _running_text(sweep)))
            elif row.trial in best:
                for key in row.store_keys:
                    by_key.setdefault(key, f"best trials of {sweep.name}")
        if sweep.records.second_objective is not None:
            for key in _front_keys(sweep.records):
                by_key.setdefault(key, f"Pareto front of {sweep.name}")
    return {**protected, **by_key}


def _front_keys(records: Records) -> Iterator[str]:
    """Yield the keys of the networks on a sweep's Pareto front and of their ancestors."""
    for network in sweep_front(records):
        for stage in records.up_to_pass(network.stage.trial, network.candidate.pass_index):
            yield from stage.store_keys


def _used_by_running(stage: StoredStage, sweeps: Sequence[SweepUse]) -> str | None:
    if stage.place != "quarantine":
        for sweep in sweeps:
            if sweep.running_since is not None and stage.last_used >= sweep.running_since - _CLOCK_SLACK:
                return _running_text(sweep)
    return None


def _young(stage: StoredStage, now: datetime) -> str | None:
    is_young = stage.place == "partial" and now - stage.last_used < _UNFINISHED_STAYS
    return "unfinished for less than a day" if is_young else None


def _running_text(sweep: SweepUse) -> str:
    return f"{sweep.name} is running"
