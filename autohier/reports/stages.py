"""What lies in the stage store: its finished stages with their cost and users, and what a collection did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from autohier.core.stages.inventory import StoredStage

_COLUMNS = (
    "stage", "key", "superclasses", "accuracy", "size", "seconds", "epochs", "last used (UTC)", "used by"
)  # fmt: skip
_TEXT_COLUMNS = {"stage", "key", "superclasses", "used by"}
_KEY_CHARS = 12
_USERS_SHOWN = 3

Users = Mapping[str, Mapping[str, Sequence[str]]]
"""By the key of a stage: trials by the name of their sweep."""


def stage_report(stored: Sequence[StoredStage], users: Users) -> Group:
    """The finished stages of a store, most recently used first, and what they sum up to.

    Args:
        stored: all that lies in the store.
        users: trials that ended with a stage.
    """
    finished = [stage for stage in stored if stage.place == "finished"]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    for stage in sorted(finished, key=lambda stage: stage.last_used, reverse=True):
        table.add_row(*_cells(stage, users.get(stage.key, {})))
    return Group(table, Text(), Text(_totals(stored, finished)))


def collection_text(
    stored: Sequence[StoredStage],
    removed: Sequence[StoredStage],
    needed: Mapping[Path, str],
    *,
    keep_bytes: float,
    dry_run: bool,
) -> str:
    """What a collection removed or would remove, what it left as it is needed, and where the store stands.

    Args:
        stored: all that lay in the store.
        removed: what went, in order.
        needed: why something had to stay, by its path.
        keep_bytes: the limit.
        dry_run: nothing was removed in truth.
    """
    total, freed = _num_bytes(stored), _num_bytes(removed)
    left = total - freed
    verb = "would remove" if dry_run else "removed"
    lines = [
        f"{verb} {stage.place} {_name(stage)} {stage.key[:_KEY_CHARS]}: {size_text(stage.num_bytes)}, "
        f"last used {_when(stage)} UTC"
        for stage in removed
    ]
    lines.append(f"{verb} {len(removed)} of {len(stored)}, which frees {size_text(freed)}")
    for reason in dict.fromkeys(needed.values()):
        kept = [stage for stage in stored if needed.get(stage.path) == reason]
        lines.append(f"needed ({reason}): {len(kept)}, {size_text(_num_bytes(kept))}")
    holds = f"the store {'would hold' if dry_run else 'holds'} {size_text(left)}"
    lines.append(
        f"{holds}, at most {size_text(keep_bytes)} were asked for"
        if left <= keep_bytes
        else f"{holds}: it cannot be brought to {size_text(keep_bytes)}, as what is left is needed"
    )
    return "\n".join(lines)


def size_text(num_bytes: float) -> str:
    """A size as people read it, in powers of 1000: "1.23 GB"."""
    for size, unit in ((1_000_000_000, "GB"), (1_000_000, "MB")):
        if num_bytes >= size:
            return f"{num_bytes / size:,.2f} {unit}"
    return f"{num_bytes / 1000:.1f} kB"


def _cells(stage: StoredStage, trials: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    told = stage.summary
    measured = ("", "", size_text(stage.num_bytes), "", "")
    if told is not None:
        accuracy = "" if told.refit else f"{told.accuracy:.1%}"
        cost = (size_text(stage.num_bytes), f"{told.seconds:,.0f}", f"{told.epochs:,}")
        measured = (told.superclasses, accuracy, *cost)
    return (_name(stage), stage.key[:_KEY_CHARS], *measured, _when(stage), _users_text(trials))


def _name(stage: StoredStage) -> str:
    if stage.summary is None:
        return f"{stage.kind}, damaged" if stage.place == "finished" else stage.kind
    return f"{stage.summary.label}, refit" if stage.summary.refit else stage.summary.label


def _when(stage: StoredStage) -> str:
    return f"{stage.last_used:%Y-%m-%d %H:%M}"


def _users_text(trials: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{sweep}: {_few(names)}" for sweep, names in trials.items())


def _few(names: Sequence[str]) -> str:
    more = len(names) - _USERS_SHOWN
    return ", ".join(names[:_USERS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _totals(stored: Sequence[StoredStage], finished: Sequence[StoredStage]) -> str:
    summaries = [stage.summary for stage in finished if stage.summary]
    seconds, epochs = sum(told.seconds for told in summaries), sum(told.epochs for told in summaries)
    cost = f"they took {seconds:,.0f} seconds and {epochs:,} epochs"
    lines = [f"finished: {len(finished)}, {size_text(_num_bytes(finished))}; {cost}"]
    for place in ("partial", "quarantine"):
        held = [stage for stage in stored if stage.place == place]
        lines.append(f"{place}: {len(held)}, {size_text(_num_bytes(held))}")
    lines.append(f"in all: {size_text(_num_bytes(stored))}")
    return "\n".join(lines)


def _num_bytes(stages: Sequence[StoredStage]) -> int:
    return sum(stage.num_bytes for stage in stages)
