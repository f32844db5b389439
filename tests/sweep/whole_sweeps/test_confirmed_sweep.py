"""Tests of a sweep's confirmation as a user runs it: interrupted, resumed, and with more seeds."""

from __future__ import annotations

import signal

import pytest

from autohier.records.reader import Records, read_records
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.paths import SweepFolder
from autohier.sweep.recovery.record_check import read_checked
from support.sweep_runs.sweeps import Sweeps, finish


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory, sweeps_in) -> tuple[Sweeps, SweepFolder, str, str]:
    """A sweep that was interrupted in its confirmation and resumed: both outputs."""
    sweeps = sweeps_in(tmp_path_factory.mktemp("confirmed"))
    options = ("--trials", "4", "--parallel", "1", "--scheduler", "none", "--confirm", "2x1")
    driver = sweeps.search("sure", *options, "--set", "search.max_passes=2")
    cut, _ = sweeps.stop_when(driver, signal.SIGTERM, lambda: "c0000" in sweeps.states("sure"))
    out = finish(sweeps.start("resume", "sure"))
    return sweeps, SweepFolder(sweeps.folder / "sweeps" / "sure"), cut, out


def runs(records: Records) -> list[tuple[str, str, str, int]]:
    return [
        (row.trial, row.role, row.state, row.seed)
        for row in sorted(records.trials, key=lambda row: row.trial)
        if row.role != "search"
    ]


def test_an_interrupted_confirmation_continues(confirmed) -> None:
    _, folder, cut, out = confirmed
    assert "confirmation with 1 fresh seed: t0" in cut
    assert "interrupted after 4 of 4 trials" in cut
    assert "Result: " not in cut
    rows = runs(read_records(folder.records))
    assert [name for name, *_ in rows] == [f"c{index:04d}" for index in range(len(rows))]
    assert {state for _, _, state, _ in rows} == {"COMPLETE"}
    assert [role for _, role, _, _ in rows].count("flat") == 1
    assert 0 not in {seed for *_, seed in rows}
    assert "confirmation with 1 fresh seed, on the validation clips:" in out
    assert "gain of t0" in out
    assert "hierarchy " in out


def test_the_confirmed_trial_is_first_and_tested(confirmed) -> None:
    _, folder, _, out = confirmed
    plan, _ = folder.read_plan()
    records = read_chosen(folder, plan)
    assert records.confirmed == records.ranked()[0].trial
    assert records.untested_winner() is None
    assert {row.trial for row in records.tests} == {records.confirmed}
    assert f"best config: {records.confirmed} " in out
    checked = read_checked(folder, plan)
    assert checked.is_whole, checked.text()


def test_confirmations_train_fixed_passes_and_note_the_right_clips(confirmed) -> None:
    _, folder, _, _ = confirmed
    for row in read_records(folder.records).trials:
        if row.role != "search":
            assert row.kept_pass == row.passes == row.passes_trained
            assert row.number is None
            assert row.right_clips.count("1") == round((row.accuracy or 0) * len(row.right_clips))
            assert len(row.right_clips) == row.num_validation_clips


def test_more_seeds_are_added_to_those_that_ran(confirmed) -> None:
    sweeps, folder, _, _ = confirmed
    before = runs(read_records(folder.records))
    out = finish(sweeps.start("confirm", "sure", "--top", "2", "--seeds", "2"))
    after = runs(read_records(folder.records))
    assert after[: len(before)] == before
    assert len({seed for *_, seed in after}) == 2
    assert "confirmation with 2 fresh seeds, on the validation clips:" in out
    assert finish(sweeps.start("confirm", "sure", "--top", "2", "--seeds", "2")).count(" started: ") == 0


def test_lost_records_of_a_confirmation_are_rebuilt(confirmed) -> None:
    sweeps, folder, _, _ = confirmed
    plan, _ = folder.read_plan()
    before = read_chosen(folder, plan)
    (folder.records / "trials" / "c0000.parquet").unlink()
    finish(sweeps.start("resume", "sure"))
    after = read_chosen(folder, plan)
    assert runs(after) == runs(before)
    assert after.confirmed == before.confirmed
    lost, found = (next(row for row in records.trials if row.trial == "c0000") for records in (before, after))
    assert (found.right_clips, found.confirms, found.accuracy) == (
        lost.right_clips,
        lost.confirms,
        lost.accuracy,
    )


def test_further_refits_are_tested_once_and_averaged(confirmed) -> None:
    sweeps, folder, _, _ = confirmed
    out = finish(sweeps.start("resume", "sure", "--refits", "2"))
    plan, _ = folder.read_plan()
    records = read_chosen(folder, plan)
    winner = records.ranked()[0]
    (further,) = records.further_refits(winner)
    first = records.reported_result(winner)
    assert first is not None
    assert further.stage == first.stage
    mean = (first.accuracy + further.accuracy) / 2
    assert f"Result: {100 * mean:.1f}% on the test split" in out
    assert "; 2 refits)" in out
    assert finish(sweeps.start("resume", "sure")).count("further refits of") == 0
