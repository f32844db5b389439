"""Plans and provenance of sweeps that never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autohier.config.search.loading import load_space
from autohier.config.sweep import Provenance, SweepPlan


def make_plan(folder: Path, **changes: Any) -> SweepPlan:
    """Return a plan of six trials of the demo."""
    values = {
        "name": "sweep",
        "study_name": "sweep",
        "space": load_space("demo"),
        "trials": 6,
        "sampler": "tpe",
        "choose": "model",
        "data_folder": str(folder),
        "stage_folder": str(folder),
        **changes,
    }
    return SweepPlan(**values)


def make_provenance(created_at: str = "2026-01-01T12:00:00+00:00") -> Provenance:
    """Return the provenance of a sweep that began at a time."""
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
