"""Check that the stage store of a sweep is the one that its trials filled."""

from __future__ import annotations

from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.store.stage_store import StageStore
from autohier.records.reader import Records


def lost_stages_text(records: Records, store: StageStore) -> str:
    """Return that the store lacks stages of the best trial, which are trained again; empty if it has all.

    Garbage collection never removes these, so the sweep was copied without its stages.
    """
    best = next(iter(records.ranked()), None)
    if best is None:
        return ""
    rows = records.stages_of(best.trial)
    keys = [(find_stage_kind(row.kind), key) for row in rows for key in row.store_keys]
    num_lost = sum(not store.holds(kind, key) for kind, key in keys)
    if not num_lost:
        return ""
    return (
        f"{store.folder} lacks {num_lost} of the {len(keys)} stages of {best.trial}, the best trial; missing "
        "stages are trained again. If the sweep was copied without its stages, stop, and name the folder "
        "that holds them with --out"
    )
