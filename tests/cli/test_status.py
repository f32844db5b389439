"""``autohier status``: what it says beside the leaderboard, on sweeps that never ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from autohier.core.training.metrics import Evaluation
from autohier.data.datasets.registry import open_dataset
from autohier.data.store.reader import ClipStore
from autohier.records.rows import complete_row, reading_row
from autohier.records.writer import RecordWriter
from autohier.settings.loading import load_space
from autohier.sweep.folder import SweepFolder
from command_line import Autohier
from fake_outcomes import MINUTE, START, fake_confusion, fake_outcome, fake_row
from plans import make_plan, make_provenance


def _write_sweep(out: Path, name: str, *changes: str, protocol: str = "cross-subject") -> None:
    """A sweep of one trial with half of the test clips right; its data are in ``out/data`` or nowhere."""
    folder = SweepFolder(out / name)
    space = load_space("demo", [f"protocol.name={protocol}", *changes])
    plan = make_plan(out / "data", name=name, study_name=name, trials=1, space=space)
    folder.write_plan(plan, make_provenance())
    outcome = fake_outcome(72, (90, 96))
    row = replace(complete_row(fake_row(), outcome, START + MINUTE), protocol=protocol)
    writer = RecordWriter(folder.records)
    writer.trial_ended(row, outcome.stages)
    evaluation = Evaluation(1.0, (0.5,), fake_confusion(60))
    writer.test_read(row.trial, [reading_row(row, "prune 1", evaluation, START)])


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
    demo = open_dataset("demo")
    manifest = tiny_clips.manifest.model_copy(update={"levels": demo.levels, "class_names": demo.class_names})
    manifest.write(tmp_path / "data" / "demo" / "manifest.json")
    chance = 30 * 30 / 66
    told = f"2 superclasses against 2: {(12 - chance) / (30 - chance):.2f}, 4 superclasses against 4: 1.00"
    assert told in autohier("status", "one", "--out", tmp_path).out


def test_the_superclasses_of_the_data_say_nothing_of_themselves(
    autohier: Autohier, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    _write_sweep(tmp_path, "given", "hierarchy=given")
    tiny_clips.manifest.write(tmp_path / "data" / "demo" / "manifest.json")
    assert "adjusted Rand" not in autohier("status", "given", "--out", tmp_path).out


def test_several_sweeps_are_averaged_over_their_protocols(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "one")
    _write_sweep(tmp_path, "two", protocol="cross-view")
    ended = autohier("status", "one", "two", "--out", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "mean of 2" in ended.out
    assert "50.0%" in ended.out
    assert "differ" not in ended.out
    _write_sweep(tmp_path, "other", "recognizer.width=0.5", "pass_1.epochs=3", protocol="cross-view")
    told = autohier("status", "one", "other", "--out", tmp_path).out
    assert told.endswith("these sweeps differ in more than their protocol: in recognizer, pass_1\n")
    assert (
        "cross-subject in one, cross-subject in one"
        in autohier("status", "one", "one", "--out", tmp_path).error
    )
