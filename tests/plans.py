"""Plans of sweeps that never run, and where they say they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autohier.settings.loading import load_space
from autohier.settings.sweep import Provenance, SweepPlan


def make_plan(folder: Path, **changes: Any) -> SweepPlan:
    """A plan of six settings of the demo."""
    values = {
        "name": "sweep",
        "study_name": "sweep",
        "space": load_space("demo"),
        "trials": 6,
        "sampler": "tpe",
        "data_folder": str(folder),
        "stage_folder": str(folder),
        **changes,
    }
    return SweepPlan(**values)


def make_provenance(created_at: str = "2026-01-01T12:00:00+00:00") -> Provenance:
    """Of a sweep that began at some time."""
    return Provenance(
        autohier="0",
        python="3",
        torch="2",
        ray="2",
        optuna="5",
        git_commit=None,
        command=("autohier",),
        created_at=created_at,
    )
