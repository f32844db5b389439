"""Reports on the stage store: its stages with their cost and users, and the result of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from rich.console import Group
from rich.text import Text

from autohier.core.stages.store.listing import StoredStage
from autohier.reports.text import plain_table, size_text
from autohier.text import plural

_COLUMNS = (
    "stage", "key", "superclasses", "validation\naccuracy", "size", "seconds", "epochs", "last used (UTC)",
    "used by",
)  # fmt: skip
_TEXT_COLUMNS = {"stage", "key", "superclasses", "used by"}
_KEY_CHARS = 12
_USERS_SHOWN = 3

Users = Mapping[str, Mapping[str, Sequence[str]]]
"""Trials by the name of their sweep, by stage key."""


@dataclass(frozen=True, slots=True)
class StageEntry:
    """An entry of the stage store."""

    stage: Annotated[str, "label of the stage: pass 1, pass 2, prune 3, ..."]
    key: Annotated[str, "stage key (SHA-256)"]
    place: Annotated[str, "finished, partial (unfinished) or quarantine (damaged)"]
    kind: Annotated[str, "pass-1, pass-2 or prune"]
    superclasses: Annotated[str, "superclass counts of its hierarchy, e.g. 2/6/20; empty in pass 1"]
    accuracy: Annotated[float | None, "validation accuracy after the stage; null in a refit"]
    refit: Annotated[bool, "true if it trained on the validation clips too"]
    bytes: Annotated[int, "size on disk in bytes"]
    seconds: Annotated[float | None, "seconds that computing it took"]
    epochs: Annotated[int | None, "number of epochs"]
    last_used_at: Annotated[datetime, "last time that a trial used it, or trained it"]
    used_by: Annotated[tuple[str, ...], "trials that ended with it, as SWEEP:TRIAL"]


def stage_entries(stored: Sequence[StoredStage], users: Users) -> tuple[StageEntry, ...]:
    """Return all entries of a store, most recently used first; see `stage_report`."""
    latest = sorted(stored, key=lambda stage: stage.last_used, reverse=True)
    return tuple(_entry(stage, users.get(stage.key, {})) for stage in latest)


def stage_report(stored: Sequence[StoredStage], users: Users, *, limit: int | None = None) -> Group:
    """Return the totals of a store, and a table of its finished stages, most recently used first.

    Args:
        stored: all stages in the store.
        users: trials that need a stage.
        limit: maximum number of rows; None shows all.
    """
    finished = [stage for stage in stored if stage.place == "finished"]
    table = plain_table()
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    latest = sorted(finished, key=lambda stage: stage.last_used, reverse=True)
    for stage in latest[:limit]:
        table.add_row(*_cells(stage, users.get(stage.key, {})))
    if limit is not None and limit < len(latest):
        table.caption = f"{limit} of {plural(len(latest), 'stage')} shown, most recently used first"
    return Group(Text(_totals(stored, finished)), Text(), table)


def collection_text(
    stored: Sequence[StoredStage],
    removed: Sequence[StoredStage],
    needed: Mapping[Path, str],
    *,
    keep_bytes: float,
    dry_run: bool,
) -> str:
    """Return a report of a collection: the removed stages, the protected ones and the size of the store.

    Args:
        stored: all stages before the collection.
        removed: removed stages, in order.
        needed: reason why a stage is protected, by its path.
        keep_bytes: maximum size of the store.
        dry_run: whether the stages only would be removed.
    """
    freed = _num_bytes(removed)
    left = _num_bytes(stored) - freed
    verb = "would remove" if dry_run else "removed"
    lines = [
        f"{verb} {stage.place} {_name(stage)} {stage.key[:_KEY_CHARS]}: {size_text(stage.num_bytes)}, "
        f"last used {_last_used(stage)} UTC"
        for stage in removed
    ]
    lines.append(f"{verb} {len(removed)} of {plural(len(stored), 'stage')}, which frees {size_text(freed)}")
    for reason in dict.fromkeys(needed.values()):
        kept = [stage for stage in stored if needed.get(stage.path) == reason]
        lines.append(f"protected ({reason}): {_count_and_size(kept)}")
    size = f"the store {'would hold' if dry_run else 'holds'} {size_text(left)}"
    lines.append(
        f"{size} of at most {size_text(keep_bytes)}"
        if left <= keep_bytes
        else f"{size}, more than {size_text(keep_bytes)}: all remaining stages are protected"
    )
    return "\n".join(lines)


def _entry(stage: StoredStage, trials: Mapping[str, Sequence[str]]) -> StageEntry:
    summary = stage.summary
    return StageEntry(
        stage=_name(stage),
        key=stage.key,
        place=stage.place,
        kind=stage.kind,
        superclasses=summary.superclasses if summary else "",
        accuracy=summary.accuracy if summary and not summary.refit else None,
        refit=summary is not None and summary.refit,
        bytes=stage.num_bytes,
        seconds=summary.seconds if summary else None,
        epochs=summary.epochs if summary else None,
        last_used_at=stage.last_used,
        used_by=tuple(f"{sweep}:{trial}" for sweep, names in trials.items() for trial in names),
    )


def _cells(stage: StoredStage, trials: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    summary = stage.summary
    measured = ("", "", size_text(stage.num_bytes), "", "")
    if summary is not None:
        accuracy = "" if summary.refit else f"{summary.accuracy:.1%}"
        cost = (size_text(stage.num_bytes), f"{summary.seconds:,.0f}", f"{summary.epochs:,}")
        measured = (summary.superclasses, accuracy, *cost)
    return (_name(stage), stage.key[:_KEY_CHARS], *measured, _last_used(stage), _users_text(trials))


def _name(stage: StoredStage) -> str:
    if stage.summary is None:
        return f"{stage.kind}, damaged" if stage.place == "finished" else stage.kind
    return f"{stage.summary.label}, refit" if stage.summary.refit else stage.summary.label


def _last_used(stage: StoredStage) -> str:
    return f"{stage.last_used:%Y-%m-%d %H:%M}"


def _users_text(trials: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{sweep}: {_first_names(names)}" for sweep, names in trials.items())


def _first_names(names: Sequence[str]) -> str:
    num_more = len(names) - _USERS_SHOWN
    return ", ".join(names[:_USERS_SHOWN]) + (f" and {num_more} more" if num_more > 0 else "")


def _totals(stored: Sequence[StoredStage], finished: Sequence[StoredStage]) -> str:
    summaries = [stage.summary for stage in finished if stage.summary]
    seconds, epochs = sum(one.seconds for one in summaries), sum(one.epochs for one in summaries)
    cost = f"computed in {seconds:,.0f} s, {plural(epochs, 'epoch')}"
    lines = [f"finished: {_count_and_size(finished)}; {cost}"]
    for place, label in (("partial", "unfinished"), ("quarantine", "quarantined")):
        lines.append(f"{label}: {_count_and_size([stage for stage in stored if stage.place == place])}")
    lines.append(f"total: {_count_and_size(stored)}")
    return "\n".join(lines)


def _count_and_size(stages: Sequence[StoredStage]) -> str:
    return f"{plural(len(stages), 'stage')}, {size_text(_num_bytes(stages))}"


def _num_bytes(stages: Sequence[StoredStage]) -> int:
    return sum(stage.num_bytes for stage in stages)
