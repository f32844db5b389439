"""Facts of a sweep that its page shows: the use of shared stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autohier.records.reader import Records
from autohier.records.schema import StageRow


@dataclass(frozen=True, slots=True)
class StageUse:
    """Use of one kind of stage by the trials of a sweep."""

    kind: str
    num_used: int
    """Number of stages that trials ended with."""
    num_distinct: int
    """Number of different stages among them."""
    epochs_used: int
    """Epochs that the trials would have trained without sharing."""
    epochs_distinct: int
    seconds_saved: float
    """Time of the stages that trials reused."""


def stage_uses(records: Records) -> tuple[StageUse, ...]:
    """Return the use of stages by kind, in the order of a trial."""
    kinds = dict.fromkeys(row.kind for row in records.stages)
    return tuple(_stage_use(kind, [row for row in records.stages if row.kind == kind]) for kind in kinds)


def _stage_use(kind: str, rows: Sequence[StageRow]) -> StageUse:
    distinct = {row.key: row for row in rows}
    return StageUse(
        kind=kind,
        num_used=len(rows),
        num_distinct=len(distinct),
        epochs_used=sum(row.num_epochs for row in rows),
        epochs_distinct=sum(row.num_epochs for row in distinct.values()),
        seconds_saved=sum(row.seconds for row in rows) - sum(row.seconds for row in distinct.values()),
    )
