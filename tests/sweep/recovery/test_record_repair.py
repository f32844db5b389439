"""Lost, damaged and changed records: the winner stays, records are rebuilt, and what is lost is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autohier.errors import InputError
from autohier.fusion.selection import find_member
from autohier.records.reader import Records, read_records
from autohier.records.schema import TrialRow, parquet_schema
from autohier.sweep.recovery.record_check import check_records, read_checked
from autohier.sweep.recovery.record_repair import repair_records
from autohier.sweep.stage_collection import read_sweeps
from support.sweep_runs.recorded_sweeps import RecordedSweep, open_recorded_sweep

KINDS = ("trials", "stages", "epochs")


@pytest.fixture
def sweep(tmp_path: Path) -> RecordedSweep:
    """Two complete trials, of which the second wins, a stopped and a failed one, and a running one."""
    sweep = open_recorded_sweep(tmp_path)
    sweep.complete(84, 81)
    winner = sweep.complete(78, 90, 84)
    sweep.stop(66)
    sweep.fail()
    sweep.study.next_trial()
    sweep.test(winner, 0.75)
    return sweep


def part(sweep: RecordedSweep, kind: str, trial: str) -> Path:
    return sweep.folder.records / kind / f"{trial}.parquet"


def repair(sweep: RecordedSweep) -> tuple[list[str], Records]:
    again = sweep.reopened()
    again.study.reconcile()
    lines = repair_records(again.folder, again.study, again.store)
    return lines, read_records(sweep.folder.records)


def frames(sweep: RecordedSweep) -> dict[str, pd.DataFrame]:
    untimed = ["started_at", "finished_at"]
    return {
        kind: pd.read_parquet(sweep.folder.records / kind).drop(columns=untimed, errors="ignore")
        for kind in (*KINDS, "tests")
        if (sweep.folder.records / kind).exists()
    }


def assert_equal(sweep: RecordedSweep, before: dict[str, pd.DataFrame]) -> None:
    for kind, frame in frames(sweep).items():
        pd.testing.assert_frame_equal(frame, before[kind])


def test_whole_records_are_left_alone(sweep: RecordedSweep) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in sweep.folder.records.rglob("*")}
    lines, records = repair(sweep)
    assert lines == []
    assert [row.trial for row in records.ranked()] == ["t0001", "t0000"]
    assert {path: path.stat().st_mtime_ns for path in sweep.folder.records.rglob("*")} == stamps


@pytest.mark.parametrize("objective", ["accuracy", "mean-class"])
def test_records_are_compared_by_the_objective(tmp_path: Path, objective: str) -> None:
    sweep = open_recorded_sweep(tmp_path, f"search.objective={objective}")
    sweep.complete(84, 90)
    sweep.stop(66)
    assert repair(sweep)[0] == []
    before = frames(sweep)
    part(sweep, "trials", "t0000").unlink()
    (row,) = read_checked(sweep.folder, sweep.folder.read_plan()[0]).records.ranked()
    assert (row.value, row.objective) == (0.75, objective)
    shutil.rmtree(sweep.store.folder)
    repair(sweep)
    before["trials"].loc[0, "num_validation_clips"] = None
    assert_equal(sweep, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trial", ["t0000", "t0001"])
def test_a_lost_part_of_a_complete_trial_is_rebuilt(sweep: RecordedSweep, kind: str, trial: str) -> None:
    before = frames(sweep)
    part(sweep, kind, trial).unlink()
    lines, records = repair(sweep)
    assert len(lines) == 1
    assert lines[0].startswith(f"records of {trial} (")
    assert lines[0].endswith("rebuilt from the stage store")
    assert records.ranked()[0].trial == "t0001"
    assert_equal(sweep, before)
    assert repair(sweep)[0] == []


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _copy_of_another(path: Path) -> None:
    shutil.copy(path.with_name("t0002.parquet"), path)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [_cut, _copy_of_another, _pipe])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_part_is_set_aside_and_rebuilt(
    sweep: RecordedSweep, kind: str, damage: Callable[[Path], None]
) -> None:
    before = frames(sweep)
    damage(part(sweep, kind, "t0001"))
    lines, _ = repair(sweep)
    assert "set aside" in lines[0]
    assert "records of t0001" in lines[1]
    assert_equal(sweep, before)
    (aside,) = (path for path in (sweep.folder.records / "damaged").iterdir() if path.name.startswith(kind))
    assert aside.name.startswith(f"{kind}-t0001-")


def _change(column: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (row,) = pq.ParquetFile(path).read().to_pylist()
        pq.write_table(pa.Table.from_pylist([row | {column: value}], parquet_schema(TrialRow)), path)

    return change


@pytest.mark.parametrize(
    ("column", "value"),
    [("accuracy", 0.99), ("accuracy", None), ("state", "FAIL"), ("passes", 7), ("seed", 9), ("number", 77)],
)
def test_a_changed_row_is_rebuilt(sweep: RecordedSweep, column: str, value: object) -> None:
    before = frames(sweep)
    _change(column, value)(part(sweep, "trials", "t0000"))
    lines, _ = repair(sweep)
    assert len(lines) == 1
    assert_equal(sweep, before)


def test_records_of_a_lost_stage_keep_their_place_and_name_what_is_lost(sweep: RecordedSweep) -> None:
    (row,) = (row for row in read_records(sweep.folder.records).trials if row.trial == "t0001")
    shutil.rmtree(sweep.store.folder / "prune" / row.stage_keys[2])
    for kind in KINDS:
        part(sweep, kind, "t0001").unlink()
    lines, records = repair(sweep)
    assert lines == [
        "records of t0001 (is missing): rebuilt, without 2 of its stages, which the stage store lacks"
    ]
    winner = records.ranked()[0]
    assert (winner.trial, winner.accuracy, winner.kept_pass) == ("t0001", 0.75, 1)
    assert [stage.label for stage in records.stages_of("t0001")] == ["pass 1", "pass 2"]


def test_rows_of_stages_that_the_store_lacks_are_kept(sweep: RecordedSweep) -> None:
    before = frames(sweep)
    shutil.rmtree(sweep.store.folder)
    part(sweep, "trials", "t0001").unlink()
    lines, _ = repair(sweep)
    assert lines == ["records of t0001 (is missing): rebuilt from the records of its stages"]
    # The number of validation clips is not in the stages' rows.
    before["trials"].loc[1, "num_validation_clips"] = None
    assert_equal(sweep, before)


def test_test_results_of_an_earlier_version_are_kept_in_the_study(sweep: RecordedSweep) -> None:
    sweep.study._study.set_user_attr("tests", {})
    assert repair(sweep)[0] == []
    part(sweep, "tests", "t0001").unlink()
    assert repair(sweep)[0] == ["test results of t0001: restored from the study"]


def test_the_row_of_a_stopped_trial_is_rebuilt(sweep: RecordedSweep) -> None:
    before = frames(sweep)
    for kind in KINDS:
        part(sweep, kind, "t0002").unlink()
    lines, _ = repair(sweep)
    assert lines == [
        "records of t0002 (is missing): rebuilt, without the epochs of the stage in which it was stopped"
    ]
    assert_equal(sweep, before)


def test_a_trial_stopped_within_pass_2_is_rebuilt(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path)
    sweep.stop()
    before = frames(sweep.reopened())
    part(sweep, "stages", "t0000").unlink()
    repair(sweep)
    assert_equal(sweep, before)


def test_each_stage_is_reused_as_before(tmp_path: Path) -> None:
    # A trial of the recipe joint may train its first base and reuse the next one.
    sweep = open_recorded_sweep(tmp_path)
    sweep.complete(78, 90, reused=(False, True, False))
    sweep.stop(66, reused=(False, True))
    before = frames(sweep)
    assert before["stages"].reused.tolist() == [False, True, False, False, True]
    for trial in ("t0000", "t0001"):
        part(sweep, "stages", trial).unlink()
    repair(sweep)
    assert_equal(sweep, before)


def test_trials_of_an_older_version_reused_their_first_stages(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path)
    sweep.complete(78, 90, reused=(True, True, False), older=True)
    before = frames(sweep)
    part(sweep, "stages", "t0000").unlink()
    repair(sweep)
    assert_equal(sweep, before)


def test_the_row_of_a_failed_trial_is_rebuilt(sweep: RecordedSweep) -> None:
    part(sweep, "trials", "t0003").unlink()
    lines, records = repair(sweep)
    assert lines == ["records of t0003 (is missing): rebuilt from the study"]
    (row,) = (row for row in records.trials if row.trial == "t0003")
    assert (row.state, row.reason, row.failure) == ("FAIL", "broken", "bug")


def test_a_trial_that_runs_again_is_no_failed_one(sweep: RecordedSweep) -> None:
    sweep.fail("disk error")
    lines, records = repair(sweep)
    assert lines == []
    states = {row.trial: row.state for row in records.trials}
    assert (states["t0003"], states["t0005"]) == ("FAIL", "REQUEUED")
    assert repair(sweep)[0] == []


def test_lost_test_results_are_restored_without_an_evaluation(sweep: RecordedSweep) -> None:
    before = frames(sweep)
    part(sweep, "tests", "t0001").unlink()
    lines, _ = repair(sweep)
    assert lines == ["test results of t0001: restored from the study"]
    assert_equal(sweep, before)


def test_a_damaged_result_of_evaluate_is_named_as_lost(sweep: RecordedSweep) -> None:
    path = part(sweep, "tests", "t0001-20260101T000000.0")
    path.write_bytes(b"")
    lines, records = repair(sweep)
    assert lines[1] == "a test result of 'autohier evaluate' of t0001 is lost with it"
    assert len(records.tests) == 1


def test_records_of_a_trial_that_the_study_does_not_have_are_set_aside(sweep: RecordedSweep) -> None:
    for kind in KINDS:
        frame = pq.ParquetFile(part(sweep, kind, "t0001")).read().to_pylist()
        schema = pq.ParquetFile(part(sweep, kind, "t0001")).schema_arrow.remove_metadata()
        rows = [row | {"trial": "t0099"} | ({"accuracy": 1.0} if kind == "trials" else {}) for row in frame]
        pq.write_table(pa.Table.from_pylist(rows, schema), part(sweep, kind, "t0099"))
    lines, records = repair(sweep)
    assert lines == ["records of t0099, which the study does not have, set aside"]
    assert records.ranked()[0].trial == "t0001"
    assert records.stages_of("t0099") == ()


def test_records_without_a_study_stay_as_they_are(sweep: RecordedSweep) -> None:
    sweep.folder.journal_file.unlink()
    with pytest.raises(InputError, match=r"must have the trials of its records, but got no trial.*restore"):
        repair(sweep)
    assert len(read_records(sweep.folder.records).trials) == 4


class TestReaders:
    """Commands that only read: they show the study's winner, or refuse to choose."""

    @pytest.fixture
    def broken(self, sweep: RecordedSweep) -> Iterator[RecordedSweep]:
        part(sweep, "trials", "t0001").unlink()
        part(sweep, "trials", "t0002").write_bytes(b"PAR1")
        content = sweep.folder.journal_file.read_bytes()
        yield sweep
        assert sweep.folder.journal_file.read_bytes() == content

    def test_status_shows_the_winner_of_the_study(self, broken: RecordedSweep) -> None:
        checked = read_checked(broken.folder, broken.folder.read_plan()[0])
        assert [row.trial for row in checked.records.trials] == ["t0000", "t0001", "t0002", "t0003"]
        winner = checked.records.ranked()[0]
        assert (winner.trial, winner.accuracy) == ("t0001", 0.75)
        assert checked.text() == ("trials/t0002.parquet is damaged; t0001 is missing; t0002 is missing")

    @pytest.mark.usefixtures("broken")
    def test_a_trial_is_not_selected_among_broken_records(self, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match=r"must be whole and agree with the study.*t0001 is missing.*autohier resume"
        ):
            find_member("sweep", tmp_path)

    @pytest.mark.usefixtures("broken")
    def test_stages_are_not_collected_while_records_are_broken(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"must be whole and agree with the study.*t0001 is missing"):
            read_sweeps(tmp_path)
        (use,) = read_sweeps(tmp_path, strict=False)
        assert {row.trial for row in use.records.trials} == {"t0000", "t0001", "t0002", "t0003"}

    def test_a_running_trial_may_be_ahead_of_the_study(self, sweep: RecordedSweep) -> None:
        """A trial writes its records before the driver records its end."""
        trials = sweep.study.trials()
        sweep.complete(60)
        assert check_records(sweep.folder, trials).faults == {}


def test_records_of_a_first_trial_that_the_journal_lost_are_set_aside(sweep: RecordedSweep) -> None:
    # A journal that is cut in its last line may lose the sampling of the first trial, which was running.
    for path in (sweep.folder.records / "trials").iterdir():
        table = pq.ParquetFile(path).read()
        rows = [row | {"state": "RUNNING"} for row in table.to_pylist()]
        pq.write_table(pa.Table.from_pylist(rows, table.schema.remove_metadata()), path)
    sweep.folder.journal_file.unlink()
    lines, records = repair(sweep)
    assert records.trials == ()
    assert all(line.endswith("which the study does not have, set aside") for line in lines)
    assert lines
