"""Plans of sweeps that never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autohier.settings.loading import load_space
from autohier.settings.sweep import SweepPlan


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
