"""Estimates from records: what enters them, and that repair and older sweeps change no winner."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autohier.records.reader import Records, read_records
from autohier.records.schema import StageRow
from autohier.records.writer import RecordWriter
from autohier.reports.trials.leaderboard import leaderboard
from autohier.sweep.choice.winner import measured_in, read_chosen, with_choice
from autohier.sweep.recovery.record_check import read_checked
from autohier.sweep.recovery.record_repair import repair_records
from support.sweep_runs.recorded_sweeps import RecordedSweep, open_recorded_sweep


@pytest.fixture
def sweep(tmp_path: Path) -> RecordedSweep:
    """Three complete trials, of which the second is measured as the best, and a stopped one."""
    sweep = open_recorded_sweep(tmp_path)
    sweep.complete(84, 81)
    sweep.complete(78, 90, 84)
    sweep.complete(80, 70)
    sweep.stop(66)
    return sweep


def test_every_complete_trial_has_the_estimate_of_its_kept_pass(sweep: RecordedSweep) -> None:
    plan, _ = sweep.folder.read_plan()
    chosen = read_chosen(sweep.folder, plan)
    assert set(chosen.estimates) == {"t0000", "t0001", "t0002"}
    ranked = [chosen.estimates[row.trial].value for row in chosen.ranked()]
    assert ranked == sorted(ranked, reverse=True)
    assert chosen.estimates["t0001"].value < 90 / 120  # measured with luck
    by_network = {each.value: each.best_probability for each in chosen.estimates.values()}
    assert sum(by_network.values()) == pytest.approx(1.0)
    assert read_checked(sweep.folder, plan).records.estimates == chosen.estimates


def test_stopped_trials_and_all_passes_are_measurements(sweep: RecordedSweep) -> None:
    measured = list(measured_in(read_records(sweep.folder.records)))
    counts = [sum(each.trial == f"t{number:04d}" for each in measured) for number in range(4)]
    assert counts == [2, 3, 2, 1]


def test_highest_and_confirmations_have_no_estimates(sweep: RecordedSweep) -> None:
    plan, _ = sweep.folder.read_plan()
    records = read_records(sweep.folder.records)
    assert with_choice(records, plan.model_copy(update={"choose": "highest"})).estimates == {}
    rows = (replace(row, number=None, role="nominee", confirms="t0009") for row in records.trials)
    assert with_choice(replace(records, trials=tuple(rows)), plan).estimates == {}
    assert with_choice(Records(), plan) == Records()


NOISE = [(60,), (60,), (60,), (66, 50), (50, 55), (55, 45)]
CLEAR = [(60, 60), (60, 60), (60, 60), (110, 111), (111, 110), (112, 112)]
"""Clips that the passes of six trials have right, of 120; the first three keep the same network."""


@pytest.mark.parametrize(
    ("chains", "leader", "preferred"), [(NOISE, "t0003", "t0000"), (CLEAR, "t0004", None)]
)
def test_a_cautious_sweep_prefers_the_first_config_unless_another_is_surely_better(
    tmp_path: Path, chains: list[tuple[int, ...]], leader: str, preferred: str | None
) -> None:
    sweep = open_recorded_sweep(tmp_path)
    for chain in chains:
        sweep.complete(*chain)
    plan, _ = sweep.folder.read_plan()
    model = read_chosen(sweep.folder, plan)
    cautious = read_chosen(sweep.folder, plan.model_copy(update={"choose": "cautious"}))
    assert (model.preferred, model.ranked()[0].trial) == (None, leader)
    assert (cautious.preferred, cautious.ranked()[0].trial) == (preferred, preferred or leader)
    assert cautious.estimates == model.estimates
    # The probability that the leader is better than the first is below, or above, 0.7.
    assert (model.estimates["t0000"].beaten < 0.7) == (preferred is not None)
    text = str(leaderboard(cautious).caption)
    assert (f"t0000, the first initial config, leads: {leader} has the highest estimate" in text) == bool(
        preferred
    )


def test_repaired_records_choose_as_before(sweep: RecordedSweep) -> None:
    plan, _ = sweep.folder.read_plan()
    before = read_chosen(sweep.folder, plan)
    for path in (sweep.folder.records / "trials").iterdir():
        path.unlink()
    again = sweep.reopened()
    again.study.reconcile()
    repair_records(again.folder, again.study, again.store)
    assert read_chosen(sweep.folder, plan).estimates == before.estimates


def test_a_sweep_of_an_earlier_version_keeps_its_rule(sweep: RecordedSweep) -> None:
    assert sweep.folder.read_plan()[0].choose == "model"
    content = json.loads(sweep.folder.plan_file.read_text())
    del content["plan"]["choose"]
    sweep.folder.plan_file.write_text(json.dumps(content))
    assert sweep.folder.read_plan()[0].choose == "highest"


@pytest.fixture
def plain(tmp_path: Path) -> RecordedSweep:
    """A sweep whose space has no superclasses, so that no stage differs from pass 1 in their counts."""
    sweep = open_recorded_sweep(tmp_path, "search.levels=0", "initial=[]")
    sweep.complete(84, 81)
    sweep.complete(78, 90, 84)
    rows = [replace(row, superclasses="") for row in read_records(sweep.folder.records).stages]
    for name in ("t0000", "t0001"):
        writer = RecordWriter(sweep.folder.records)
        writer._write(StageRow, name, [row for row in rows if row.trial == name])
    return sweep


def test_passes_without_superclasses_are_measurements(plain: RecordedSweep) -> None:
    plan, _ = plain.folder.read_plan()
    chosen = read_chosen(plain.folder, plan)
    assert [each.pass_index for each in measured_in(chosen)] == [0, 1, 0, 1, 2]
    assert set(chosen.estimates) == {"t0000", "t0001"}


def test_passes_without_superclasses_are_checked_and_rebuilt(plain: RecordedSweep) -> None:
    before = read_records(plain.folder.records)
    (plain.folder.records / "trials" / "t0001.parquet").unlink()
    shutil.rmtree(plain.store.folder)
    repair_records(plain.folder, plain.study, plain.store)
    lost, found = (records.trials[1] for records in (before, read_records(plain.folder.records)))
    names = ("accuracy", "top5_accuracy", "pass_1_accuracy", "pass_2_accuracy", "dense_parameters")
    assert [getattr(found, name) for name in names] == [getattr(lost, name) for name in names]
    swapped = [replace(row, accuracy=0.1) if row.pass_index == 2 else row for row in before.stages]
    RecordWriter(plain.folder.records)._write(StageRow, "t0001", swapped[3:])
    plan, _ = plain.folder.read_plan()
    assert "t0001 has stages of other values" in read_checked(plain.folder, plan).text()
