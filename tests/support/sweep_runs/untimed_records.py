"""Records of a sweep without what differs from run to run: times, effort, and numbers in the study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from autohier.records.reader import read_records

_UNTIMED: dict[str, dict[str, Any]] = {
    "trials": {
        **dict.fromkeys(("number", "started_at", "finished_at", "seconds_computed", "seconds_reused")),
        **dict.fromkeys(("epochs_computed", "epochs_reused")),
    },
    "stages": {"seconds": 0.0, "reused": False},
    "epochs": {"seconds": 0.0, "waited_s": 0.0},
    "tests": {"evaluated_at": None},
}


def untimed_rows(sweep: Path) -> dict[str, list[Any]]:
    """Return all rows in the folder of a sweep."""
    records = read_records(sweep / "records")
    return {
        kind: [replace(row, **changes) for row in getattr(records, kind)]
        for kind, changes in _UNTIMED.items()
    }
