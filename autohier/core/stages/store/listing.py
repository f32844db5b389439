"""Listing: the entries of a stage store, and eviction while other processes use the store."""

from __future__ import annotations

import stat
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.store.file_names import STAGE_FILE
from autohier.core.stages.store.identity_check import check_identity
from autohier.core.stages.store.setting_aside import set_aside
from autohier.core.stages.store.stage_files import read_description
from autohier.core.stages.store.stage_store import PARTIAL, QUARANTINE
from autohier.digest import digest
from autohier.errors import InputError, MissingDataError, StageDamagedError
from autohier.files import delete

Place = Literal["finished", "partial", "quarantine"]

_EVICTION_ORDER: tuple[Place, ...] = ("quarantine", "partial", "finished")


@dataclass(frozen=True, slots=True)
class StageSummary:
    """Measurements of a finished stage, as its description records them."""

    label: str
    """"pass 1", "pass 2", "prune 3", ..."""
    superclasses: str
    """Superclass counts of its hierarchy, e.g. "2/6/20"; empty in pass 1."""
    accuracy: float
    """Validation accuracy after the stage."""
    seconds: float
    """Training time."""
    epochs: int
    refit: bool
    """True if the stage trained on the validation clips too; its accuracy means nothing then."""
    inputs_digest: str
    """Digest of its inputs without the parents and the refit flag; equal for a stage and its refit."""


@dataclass(frozen=True, slots=True)
class StoredStage:
    """One entry of a store: a finished stage, an unfinished one, or a damaged one in quarantine."""

    place: Place
    path: Path
    kind: str
    key: str
    num_bytes: int
    last_used: datetime
    """UTC; the end of the last epoch if the stage is unfinished."""
    summary: StageSummary | None = None
    """None if the stage is unfinished or its description cannot be read."""


def list_store(folder: Path) -> tuple[StoredStage, ...]:
    """List all entries of a store, least recently used first, without reading weights.

    Entries that another process removes meanwhile are left out. Folders that a killed process left half
    written count as unfinished.

    Raises:
        MissingDataError: if the folder does not exist.
    """
    if not folder.is_dir():
        raise MissingDataError(
            "a stage store must exist", got=folder, hint="name the folder of sweeps and stages with --out"
        )
    return tuple(sorted(_entries(folder), key=lambda stage: stage.last_used))


def find_stage(folder: Path, start: str) -> tuple[StageKind, str]:
    """Return the kind and the key of the only finished stage whose key begins with ``start``.

    Raises:
        InputError: if no stage or more than one matches, or the package of its kind is not installed.
    """
    matches = [
        (kind, path.name)
        for kind in _kinds(folder)
        for path in _children(folder / kind)
        if path.name.startswith(start) and path.name[0] != "."
    ]
    if len(matches) != 1:
        raise InputError(
            f"one finished stage of {folder} must have a key that begins with {start!r}",
            got=len(matches) or "none",
            hint="list the stages with autohier store",
        )
    kind, key = matches[0]
    return find_stage_kind(kind), key


def choose_evicted(
    stored: Sequence[StoredStage], *, keep_bytes: float, needed: Container[Path]
) -> tuple[StoredStage, ...]:
    """Return the entries to evict so that a store holds at most ``keep_bytes``, in order of eviction.

    Stages in quarantine come first, then unfinished stages, then finished ones; within each group the least
    recently used come first.

    Args:
        stored: all entries of the store.
        keep_bytes: largest size of the store.
        needed: paths of entries that must stay.
    """
    excess = sum(stage.num_bytes for stage in stored) - keep_bytes
    chosen: list[StoredStage] = []
    for stage in sorted(stored, key=lambda stage: (_EVICTION_ORDER.index(stage.place), stage.last_used)):
        if excess > 0 and stage.path not in needed:
            chosen.append(stage)
            excess -= stage.num_bytes
    return tuple(chosen)


def evict(folder: Path, stage: StoredStage) -> bool:
    """Remove one entry from a store.

    The entry is moved to the quarantine before it is deleted, so that no reader sees a part of it. If the
    process is killed while deleting, the next eviction removes the rest.

    Returns:
        False if the entry was used or removed since it was listed; nothing is removed then.

    Raises:
        OSError: if the entry cannot be removed.
    """
    try:
        if _last_used(stage.path) != stage.last_used:
            return False
        aside = set_aside(stage.path, folder / QUARANTINE, f"{stage.kind}-{stage.key}")
    except FileNotFoundError:
        return False
    delete(aside)
    return True


def _kinds(folder: Path) -> list[str]:
    """Return the names of all stage kinds in a store, also of kinds whose package is not installed."""
    return sorted(
        path.name
        for path in _children(folder)
        if path.is_dir() and path.name not in (PARTIAL, QUARANTINE) and path.name[0] != "."
    )


def _entries(folder: Path) -> Iterator[StoredStage]:
    for kind in _kinds(folder):
        for path in _children(folder / kind):
            yield from _entry(
                "partial" if path.name[0] == "." else "finished", path, kind, _without_suffix(path)
            )
    for path in _children(folder / PARTIAL):
        kind, _, key = _without_suffix(path).rpartition("-")
        yield from _entry("partial", path, kind, key)
    for path in _children(folder / QUARANTINE):
        kind, key, *_ = [*path.name.rsplit("-", 2), ""]
        yield from _entry("quarantine", path, kind, key)


def _without_suffix(path: Path) -> str:
    # A temporary name is .NAME.HOST...: a process is writing the entry, or was killed while writing it.
    return path.name.removeprefix(".").split(".")[0]


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _entry(place: Place, path: Path, kind: str, key: str) -> Iterator[StoredStage]:
    with suppress(FileNotFoundError):  # Another process removed it since the folder was listed.
        summary = _summary(path, kind, key) if place == "finished" else None
        yield StoredStage(place, path, kind, key, _num_bytes(path), _last_used(path), summary)


def _summary(path: Path, kind: str, key: str) -> StageSummary | None:
    try:
        description = read_description(path)
        check_identity(description, find_stage_kind(kind), key)
        inputs = description["inputs"]
        base = inputs["base"] | {"all_training_clips": False}
        original = {"parent_key": None, "parent_keys": [], "base": base}
        return StageSummary(
            label=find_stage_kind(description["kind"]).label(description["pass_index"]),
            superclasses="/".join(str(len(set(level))) for level in description["hierarchy"][:-1]),
            accuracy=float(description["stack_accuracies"][-1]),
            seconds=float(description["seconds"]),
            epochs=int(inputs["epochs"]),
            refit=bool(inputs["base"].get("all_training_clips", False)),
            inputs_digest=digest([description["kind"], inputs | original]),
        )
    except (StageDamagedError, InputError, ValueError, LookupError, TypeError, AttributeError):
        return None  # The stage is listed without a summary. Loading it reports the damage.


def _num_bytes(path: Path) -> int:
    # Of a link only itself: what it points to stays.
    entries = [path, *(() if path.is_symlink() else path.rglob("*"))]
    states = [entry.lstat() for entry in entries]
    return sum(state.st_size for state in states if not stat.S_ISDIR(state.st_mode))


def _last_used(path: Path) -> datetime:
    marker = path / STAGE_FILE
    state = marker.stat() if marker.is_file() else path.lstat()
    return datetime.fromtimestamp(state.st_mtime, UTC)
