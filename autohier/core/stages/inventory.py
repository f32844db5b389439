"""What lies in a stage store: listed without reading weights, and evicted while others read and write it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from autohier.core.stages.result import StageKind, stage_label
from autohier.core.stages.store import PARTIAL, QUARANTINE, STAGE_FILE, read_description
from autohier.digest import digest
from autohier.errors import InputError, MissingDataError, StageDamagedError

Place = Literal["finished", "partial", "quarantine"]

_EVICTED_FIRST: tuple[Place, ...] = ("quarantine", "partial", "finished")


@dataclass(frozen=True, slots=True)
class StageSummary:
    """What a finished stage tells of itself."""

    label: str
    """"pass 1", "pass 2", "prune 3", ..."""
    superclasses: str
    """Superclass counts of its hierarchy, e.g. "2/6/20"; empty in pass 1."""
    accuracy: float
    """Validation accuracy after the stage."""
    seconds: float
    """What computing it took."""
    epochs: int
    refit: bool
    """True where the validation clips trained too, so that its accuracy says nothing."""
    recipe: str
    """Digest of what it does, whatever clips and weights it starts from: a refit has that of its original."""


@dataclass(frozen=True, slots=True)
class StoredStage:
    """One finished stage of a store, one unfinished one, or one that was set aside."""

    place: Place
    path: Path
    kind: str
    key: str
    num_bytes: int
    last_used: datetime
    """UTC. Of an unfinished stage: when its last epoch ended."""
    summary: StageSummary | None = None
    """Of a finished stage that is not damaged."""


def list_store(folder: Path) -> tuple[StoredStage, ...]:
    """All that lies in a store, least recently used first; what vanishes meanwhile is left out.

    What killed processes left half written counts as unfinished.

    Raises:
        MissingDataError: where there is no store.
    """
    if not folder.is_dir():
        raise MissingDataError(
            "a stage store must exist", got=folder, remedy="say with --out where sweeps and stages lie"
        )
    return tuple(sorted(_entries(folder), key=lambda stage: stage.last_used))


def find_stage(folder: Path, start: str) -> tuple[StageKind, str]:
    """Kind and key of the one finished stage of a store whose key begins so.

    Raises:
        InputError: where there is none, or more than one.
    """
    found: list[tuple[StageKind, str]] = [
        (kind, path.name)
        for kind in get_args(StageKind)
        for path in _children(folder / kind)
        if path.name.startswith(start) and path.name[0] != "."
    ]
    if len(found) != 1:
        raise InputError(
            f"one finished stage of {folder} must have a key that begins with {start!r}",
            got=len(found) or "none",
            remedy="autohier store lists them",
        )
    return found[0]


def choose_evicted(
    stored: Sequence[StoredStage], *, keep_bytes: float, needed: Container[Path]
) -> tuple[StoredStage, ...]:
    """What must go so that a store holds at most ``keep_bytes``, in the order in which it goes.

    Quarantine goes first, then unfinished stages, then finished ones; of each the least recently used first.

    Args:
        stored: all that lies in the store.
        keep_bytes: its limit.
        needed: paths of what must stay.
    """
    excess = sum(stage.num_bytes for stage in stored) - keep_bytes
    chosen: list[StoredStage] = []
    for stage in sorted(stored, key=lambda stage: (_EVICTED_FIRST.index(stage.place), stage.last_used)):
        if excess > 0 and stage.path not in needed:
            chosen.append(stage)
            excess -= stage.num_bytes
    return tuple(chosen)


def evict(folder: Path, stage: StoredStage) -> bool:
    """Remove one stage from a store.

    It is moved to the quarantine first, so that no reader finds a part of it, and what a killed process
    leaves there goes first the next time.

    Returns:
        False where it was used or removed since it was listed; it is left alone then.

    Raises:
        OSError: where it may not be removed.
    """
    aside = folder / QUARANTINE / f"{stage.kind}-{stage.key}-{uuid.uuid4().hex[:8]}"
    aside.parent.mkdir(exist_ok=True)
    try:
        if _last_used(stage.path) != stage.last_used:
            return False
        stage.path.rename(aside)
    except FileNotFoundError:
        return False
    if aside.is_dir():
        shutil.rmtree(aside)
    else:
        aside.unlink()
    return True


def _entries(folder: Path) -> Iterator[StoredStage]:
    for kind in get_args(StageKind):
        for path in _children(folder / kind):
            yield from _entry("partial" if path.name[0] == "." else "finished", path, kind, _bare(path))
    for path in _children(folder / PARTIAL):
        kind, _, key = _bare(path).rpartition("-")
        yield from _entry("partial", path, kind, key)
    for path in _children(folder / QUARANTINE):
        kind, key, *_ = [*path.name.rsplit("-", 2), ""]
        yield from _entry("quarantine", path, kind, key)


def _bare(path: Path) -> str:
    # A temporary name is .NAME.HOST...: somebody writes there, or was killed while writing.
    return path.name.removeprefix(".").split(".")[0]


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _entry(place: Place, path: Path, kind: str, key: str) -> Iterator[StoredStage]:
    with suppress(FileNotFoundError):  # It vanished since it was seen.
        summary = _summary(path) if place == "finished" else None
        yield StoredStage(place, path, kind, key, _num_bytes(path), _last_used(path), summary)


def _summary(path: Path) -> StageSummary | None:
    try:
        told = read_description(path)
        inputs = told["inputs"]
        original = {"parent_key": None, "basis": inputs["basis"] | {"all_training_clips": False}}
        return StageSummary(
            label=stage_label(told["kind"], told["pass_index"]),
            superclasses="/".join(str(len(set(level))) for level in told["hierarchy"][:-1]),
            accuracy=float(told["stack_accuracies"][-1]),
            seconds=float(told["seconds"]),
            epochs=int(inputs["epochs"]),
            refit=bool(inputs["basis"].get("all_training_clips", False)),
            recipe=digest([told["kind"], inputs | original]),
        )
    except (StageDamagedError, InputError, ValueError, LookupError, TypeError, AttributeError):
        return None  # It is listed all the same; whoever wants to use it tells of the damage.


def _num_bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _last_used(path: Path) -> datetime:
    marker = path / STAGE_FILE
    return datetime.fromtimestamp((marker if marker.is_file() else path).stat().st_mtime, UTC)
