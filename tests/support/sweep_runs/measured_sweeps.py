"""Sweeps whose trials measured given accuracies, without training."""

from __future__ import annotations

from pathlib import Path

import torch

from autohier.core.stages.store.stage_store import StageStore
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_inputs, fake_outcome, fake_row
from support.sweep_runs.plans import make_plan, make_provenance


def write_sweep(out: Path, *chains: tuple[int, ...]) -> SweepFolder:
    """Write a sweep of trials whose passes get these numbers of 120 clips right; the weight ratios differ."""
    folder = SweepFolder(out / "done")
    plan = make_plan(out, name="done", trials=len(chains), stage_folder=str(out / "stages"), confirm="none")
    folder.write_plan(plan, make_provenance())
    for number, chain in enumerate(chains):
        params = PARAMS.model_copy(
            update={"weight_ratio": 0.25 * 2 ** (number % 4), "ratio": 0.1 * (number % 3)}
        )
        outcome = fake_outcome(72, chain, params=params)
        row = complete_row(fake_row(f"t{number:04d}", params), outcome, START + number * MINUTE)
        RecordWriter(folder.records).write_ended(row, outcome.stages)
        for stage in outcome.stages:
            StageStore(out / "stages").publish(stage, fake_inputs(stage), {"conv.weight": torch.ones(3)})
    return folder
