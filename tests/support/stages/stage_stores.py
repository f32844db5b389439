"""Stage stores and sweeps as trials leave them: files are real, nothing was trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch

from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.result import StageResult
from autohier.core.stages.stage_key import stage_key
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.trial import TrialOutcome
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_outcomes import MINUTE, START, fake_inputs, fake_outcome, fake_row
from support.sweep_runs.plans import make_plan, make_provenance

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def publish(
    out: Path, stages: Sequence[StageResult], used: datetime, inputs: StageInputs | None = None
) -> list[Path]:
    """Put stages into the store of ``out``, last used at a time; their folders.

    Given inputs replace those of the stages, and so their keys.
    """
    store = StageStore(out / "stages")
    if inputs is not None:
        stages = [
            replace(stage, key=stage_key(stage.kind, inputs), parent_key=inputs.parent_key)
            for stage in stages
        ]
    for stage in stages:
        store.publish(stage, inputs or fake_inputs(stage), {"conv.weight": torch.zeros(100)})
    folders = [store.folder / stage.kind.name / stage.key for stage in stages]
    for folder in folders:
        use(folder / "stage.json", used)
    return folders


def leave(path: Path, used: datetime, num_bytes: int = 1000) -> Path:
    """A file of some bytes, changed at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(num_bytes))
    return use(path, used)


def use(path: Path, used: datetime) -> Path:
    """Change a file's time."""
    os.utime(path, (used.timestamp(), used.timestamp()))
    return path


def make_sweep(out: Path, name: str, *outcomes: TrialOutcome, created: datetime = LONG_AGO) -> SweepFolder:
    """A sweep with a complete trial for every outcome: t0000, t0001, ..."""
    folder = SweepFolder(out / name)
    folder.write_plan(make_plan(out, name=name), make_provenance(created.isoformat()))
    writer = RecordWriter(folder.records)
    for number, outcome in enumerate(outcomes):
        row = complete_row(fake_row(f"t{number:04d}"), outcome, START + MINUTE)
        writer.write_ended(row, outcome.stages)
    return folder


def outcome_of(*chain: int) -> TrialOutcome:
    """Return a trial whose pass 2 and pruning passes get these numbers of 120 clips right; pass 1 gets 72."""
    return fake_outcome(72, chain)
