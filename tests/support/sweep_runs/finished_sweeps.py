"""Finished sweeps in their folders, trained on tiny clips without Ray."""

from __future__ import annotations

from pathlib import Path

from autohier.config.search.loading import load_space
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from autohier.records.trial_rows import complete_row, started_row
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder, stage_folder
from support.fakes.fake_outcomes import MINUTE, START
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial
from support.sweep_runs.plans import make_plan, make_provenance


def finish_sweep(
    out: Path, name: str, data: Path, *overrides: str, seeds: tuple[int, ...] = (0,), passes: int = 0
) -> tuple[SweepFolder, list[TrialOutcome]]:
    """Train the tiny space's initial config once for every seed: t0000, t0001, ..."""
    folder = SweepFolder(out / name)
    space = load_space(str(SPACE_FILE), ["pass_1.epochs=1", *overrides])
    clips = ClipStore.open(data / "demo")
    plan = make_plan(
        data,
        name=name,
        space=space,
        stage_folder=str(stage_folder(out)),
        clips_fingerprint=clips.fingerprint,
    )
    folder.write_plan(plan, make_provenance())
    params = space.initial[0].as_params().model_copy(update={"passes": passes})
    outcomes = []
    for number, seed in enumerate(seeds):
        config = space.config(params, seed=seed)
        outcomes.append(run_trial(open_tiny_trial(config, clips, stage_folder(out))))
        row = started_row(
            config, trial=f"t{number:04d}", number=number, trial_index=number, source="initial", at=START
        )
        RecordWriter(folder.records).write_ended(
            complete_row(row, outcomes[-1], START + MINUTE), outcomes[-1].stages
        )
    return folder, outcomes
