"""Sweeps whose trials are done, in their folders: trained on tiny clips, without Ray."""

from __future__ import annotations

from pathlib import Path

from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from autohier.records.rows import begun_row, complete_row
from autohier.records.writer import RecordWriter
from autohier.settings.loading import load_space
from autohier.sweep.folder import SweepFolder, stage_folder
from fake_outcomes import MINUTE, START
from plans import make_plan, make_provenance
from tiny_clips import SPACE_FILE, open_tiny_trial


def finish_sweep(
    out: Path, name: str, data: Path, *overrides: str, seeds: tuple[int, ...] = (0,), passes: int = 0
) -> tuple[SweepFolder, list[TrialOutcome]]:
    """A sweep of the tiny space's known setting, one trial for every seed: t0000, t0001, ..."""
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
    choice = space.known[0].as_choice().model_copy(update={"passes": passes})
    outcomes = []
    for number, seed in enumerate(seeds):
        setting = space.setting(choice, seed=seed)
        outcomes.append(run_trial(open_tiny_trial(setting, clips, stage_folder(out))))
        row = begun_row(setting, trial=f"t{number:04d}", number=number, ask=number, source="known", at=START)
        RecordWriter(folder.records).trial_ended(
            complete_row(row, outcomes[-1], START + MINUTE), outcomes[-1].stages
        )
    return folder, outcomes
