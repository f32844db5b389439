"""``autohier status``: what it says beside the leaderboard, on sweeps that never ran."""

from __future__ import annotations

from pathlib import Path

from autohier.data.datasets.registry import open_dataset
from autohier.data.store.reader import ClipStore
from autohier.records.rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.sweep.folder import SweepFolder
from command_line import Autohier
from fake_outcomes import MINUTE, START, fake_outcome, fake_row
from plans import make_plan, make_provenance


def _write_sweep(out: Path, name: str) -> None:
    """A sweep of one trial, whose data are prepared in ``out/data`` or nowhere."""
    folder = SweepFolder(out / name)
    folder.write_plan(make_plan(out / "data", name=name, study_name=name, trials=1), make_provenance())
    outcome = fake_outcome(72, (90, 96))
    row = complete_row(fake_row(), outcome, START + MINUTE)
    RecordWriter(folder.records).trial_ended(row, outcome.stages)


def test_superclasses_that_were_found_are_held_against_those_of_the_data(
    autohier: Autohier, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    _write_sweep(tmp_path, "one")
    without = autohier("status", "one", "--out", tmp_path)
    assert (without.code, without.err) == (0, "")
    assert "best setting: t0000" in without.out
    assert "adjusted Rand" not in without.out
    # The fake trial's levels are k % 2 and k % 4, the demo's 0 0 1 1 and 0 1 2 3, each three times over: the
    # fours are the same; of the twos, 4 * 3 pairs are together in both, and by chance 30 * 30 / 66 would be.
    manifest = tiny_clips.manifest.model_copy(update={"levels": open_dataset("demo").levels})
    manifest.write(tmp_path / "data" / "demo" / "manifest.json")
    chance = 30 * 30 / 66
    told = f"2 superclasses against 2: {(12 - chance) / (30 - chance):.2f}, 4 superclasses against 4: 1.00"
    assert told in autohier("status", "one", "--out", tmp_path).out
