"""Rows written and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autohier.core.training.metrics import Evaluation
from autohier.errors import InputError
from autohier.records.progress import Progress
from autohier.records.reader import Records, choice_of, read_records, read_rows, read_table
from autohier.records.rows import complete_row, cut_short_row, reading_row, weights_text
from autohier.records.schema import ROW_FOLDERS, EpochRow, Row, StageRow, TrialRow, parquet_schema
from autohier.records.writer import RecordWriter
from fake_outcomes import (
    CHOICE,
    MINUTE,
    NUM_CLIPS,
    START,
    fake_confusion,
    fake_epoch,
    fake_outcome,
    fake_row,
    replay,
)

END = START + 5 * MINUTE


def _write_complete(folder: Path, trial: str = "t0000") -> TrialRow:
    # Pass 1 has 72 of 120 clips right (found in the store), pass 2 78, prune 1 81.
    outcome = fake_outcome(72, (78, 81))
    writer = RecordWriter(folder)
    writer.trial_started(fake_row(trial))
    row = complete_row(fake_row(trial), outcome, END)
    writer.trial_ended(row, outcome.stages)
    return row


def test_a_begun_trial_reads_back_as_running(tmp_path: Path) -> None:
    row = fake_row("t0003")
    RecordWriter(tmp_path).trial_started(row)
    records = read_records(tmp_path)
    assert records.trials == (row,)
    assert (row.state, row.superclasses, row.stack_weights) == ("RUNNING", "2/4", "1/4 1/2 1")
    assert records.ranked() == ()


def test_a_complete_trial_tells_accuracies_cost_and_effort(tmp_path: Path) -> None:
    written = _write_complete(tmp_path)
    (row,) = read_rows(tmp_path, TrialRow)
    assert row == written
    assert (row.accuracy, row.pass_1_accuracy, row.pass_2_accuracy) == (81 / 120, 72 / 120, 78 / 120)
    assert (row.kept_pass, row.passes_trained, row.passes) == (1, 1, 3)
    assert row.num_validation_clips == NUM_CLIPS
    # The fakes take a tenth of the parameters and half of the multiply-adds away per pass.
    assert (row.dense_parameters, row.parameters) == (1_000_000, 900_000)
    assert (row.dense_multiply_adds, row.multiply_adds) == (2_000_000_000, 1_000_000_000)
    # Three stages of 2 epochs and 3 seconds; pass 1 was found.
    assert (row.epochs_computed, row.epochs_spared) == (4, 2)
    assert (row.seconds_computed, row.seconds_spared) == (6.0, 3.0)
    assert len(row.stage_keys) == 3
    assert row.finished_at == END


def test_stage_rows_hold_the_hierarchy(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    stages = read_records(tmp_path).stages_of("t0000")
    assert [stage.label for stage in stages] == ["pass 1", "pass 2", "prune 1"]
    assert [stage.superclasses for stage in stages] == ["", "2/4", "2/4"]
    assert json.loads(stages[1].assignments)[0] == [0, 1] * 6
    assert tuple(stage.key for stage in stages) == row.stage_keys
    assert [stage.parent_key for stage in stages] == [None, *row.stage_keys[:2]]


def test_epoch_steps_count_over_the_whole_chain(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    epochs = read_rows(tmp_path, EpochRow)
    assert [(row.kind, row.epoch, row.step) for row in epochs] == [
        ("pass-1", 0, 1),
        ("pass-1", 1, 2),
        ("pass-2", 0, 3),
        ("pass-2", 1, 4),
        ("prune", 0, 5),
        ("prune", 1, 6),
    ]
    assert [len(row.stack_losses) for row in epochs] == [1, 1, 3, 3, 3, 3]


def test_a_trial_that_runs_again_has_its_rows_once(tmp_path: Path) -> None:
    row = replace(fake_row("t0000"), seed=7)
    _write_complete(tmp_path)
    writer = RecordWriter(tmp_path)
    failed = cut_short_row(row, "FAIL", reason="loss is NaN", failure="not a number", at=END)
    writer.trial_ended(failed, stages=())
    records = read_records(tmp_path)
    assert [(trial.state, trial.reason, trial.failure, trial.seed) for trial in records.trials] == [
        ("FAIL", "loss is NaN", "not a number", 7)
    ]
    assert (records.stages, records.epochs) == ((), ())
    assert records.trials[0].accuracy is None


def test_a_trial_that_is_taken_back_keeps_what_is_told_of_it(tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    failed = cut_short_row(
        fake_row(), "FAIL", reason="no space", failure="disk full", at=END, stages=outcome.stages
    )
    writer = RecordWriter(tmp_path)
    writer.trial_ended(failed, outcome.stages)
    writer.trial_taken_back(failed)
    records = read_records(tmp_path)
    assert records.trials == (replace(failed, state="TAKEN BACK"),)
    assert len(records.stages) == 2


def test_progress_keeps_what_a_stopped_trial_had_done(tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    progress = Progress()
    replay(outcome, progress)
    progress.stage_started("prune", 1, reused=False)
    progress.epoch_finished("prune", 1, fake_epoch(0, 50, 3), reused=True)
    progress.epoch_finished("prune", 1, fake_epoch(1, 60, 3), reused=False)
    row = cut_short_row(
        fake_row(),
        "PRUNED",
        reason="behind the median",
        at=END,
        stages=progress.stages,
        unfinished=progress.unfinished,
    )
    RecordWriter(tmp_path).trial_ended(row, progress.stages, progress.unfinished)
    assert progress.stages == outcome.stages
    # Pass 2 computed 2 epochs in 3 s, the open stage 1 epoch in 1 s and found 1.
    assert (row.epochs_computed, row.seconds_computed, row.epochs_spared) == (3, 4.0, 3)
    assert (row.pass_2_accuracy, row.passes_trained, row.kept_pass) == (78 / 120, 0, None)
    last = read_rows(tmp_path, EpochRow)[-1]
    assert (last.kind, last.pass_index, last.step) == ("prune", 1, 6)
    assert len(read_rows(tmp_path, StageRow)) == 2


def test_progress_has_nothing_unfinished_after_a_stage() -> None:
    progress = Progress()
    replay(fake_outcome(), progress)
    assert progress.unfinished is None


def test_readings_of_the_test_split_carry_their_interval(tmp_path: Path) -> None:
    evaluation = Evaluation(loss=1.0, stack_accuracies=(0.9, 0.5), confusion_KK=fake_confusion(60))
    reading = reading_row(fake_row(), "prune 1", evaluation, END)
    RecordWriter(tmp_path).test_read("t0000", [reading])
    (read,) = read_records(tmp_path).tests_of("t0000")
    assert read == reading
    assert (read.accuracy, read.num_clips) == (0.5, 120)
    # At one half the Wilson interval is symmetric: half width z / 2 / sqrt(n + z^2) = .0880.
    assert read.low == pytest.approx(0.5 - 0.0880, abs=1e-4)
    assert read.high == pytest.approx(0.5 + 0.0880, abs=1e-4)


def test_trials_are_ranked_by_accuracy_then_cost_then_name(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    cheap = replace(row, trial="t0002", multiply_adds=1)
    twin = replace(row, trial="t0001")
    best = replace(row, trial="t0003", accuracy=0.99, multiply_adds=10**12)
    confirmation = replace(best, trial="c0000", number=None)
    running = fake_row("t0004")
    records = Records(trials=(row, twin, cheap, best, confirmation, running))
    assert [ranked.trial for ranked in records.ranked()] == ["t0003", "t0002", "t0000", "t0001"]


def test_seeds_of_a_setting_are_those_of_all_choices_with_its_effect(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    # Nothing is pruned, so that scope and ratio make no difference.
    lucky = replace(row, trial="t0000", passes=0, ratio=0.1, scope="by-layer", accuracy=0.90)
    unlucky = replace(row, trial="t0001", passes=0, ratio=0.3, scope="altogether", accuracy=0.80)
    steady = replace(row, trial="t0002", passes=2, ratio=0.2, accuracy=0.87)
    records = Records(trials=(lucky, unlucky, steady))
    assert records.ranked()[0] == steady
    assert records.seeds_of(lucky) == records.seeds_of(unlucky) == (0.90, 0.80)


def test_variant_and_settings_are_kept(tmp_path: Path) -> None:
    drawn = {"variant": "bone", "settings": (("optimisation.lr_factor", 0.2), ("pruning.norm", "layer-mean"))}
    choice = CHOICE.model_copy(update=drawn)
    RecordWriter(tmp_path).trial_started(fake_row("t0000", choice))
    RecordWriter(tmp_path).trial_started(fake_row("t0001"))
    bone, plain = read_rows(tmp_path, TrialRow)
    assert bone.settings == '{"optimisation.lr_factor":0.2,"pruning.norm":"layer-mean"}'
    assert choice_of(bone) == choice
    assert (plain.variant, plain.settings) == ("", "")
    assert choice_of(plain) == CHOICE


def test_pandas_reads_the_folder_of_a_whole_sweep(tmp_path: Path) -> None:
    _write_complete(tmp_path, "t0000")
    RecordWriter(tmp_path).trial_started(fake_row("t0001"))
    frame = pd.read_parquet(tmp_path / "trials")
    assert list(frame["trial"]) == ["t0000", "t0001"]
    assert list(frame["state"]) == ["COMPLETE", "RUNNING"]
    assert str(frame["started_at"].dt.tz) == "UTC"


@pytest.mark.parametrize("row_type", list(ROW_FOLDERS))
def test_missing_folders_give_the_columns_without_rows(tmp_path: Path, row_type: type[Row]) -> None:
    table = read_table(tmp_path, row_type)
    assert table.num_rows == 0
    assert table.schema.equals(parquet_schema(row_type))
    assert list(table.to_pandas().columns) == parquet_schema(row_type).names


@pytest.mark.parametrize("row_type", list(ROW_FOLDERS))
def test_every_column_is_documented_in_the_file(row_type: type[Row]) -> None:
    for field in parquet_schema(row_type):
        assert field.metadata[b"doc"], field.name


def test_a_damaged_file_is_named_on_one_line(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    path = tmp_path / "trials" / "t0000.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"whole Parquet.*t0000\.parquet.*move it away") as caught:
        read_records(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    path = tmp_path / "stages" / "t0000.parquet"
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["label"]), path)
    with pytest.raises(InputError, match=r"t0000\.parquet.*label"):
        read_records(tmp_path)


def test_columns_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    path = tmp_path / "trials" / "t0000.parquet"
    pq.write_table(pq.ParquetFile(path).read().append_column("mood", pa.array(["good"])), path)
    assert read_rows(tmp_path, TrialRow) == (row,)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ((0.125, 0.25, 0.5, 1.0), "1/8 1/4 1/2 1"),
        ((0.333333**2, 0.333333, 1.0), "1/9 1/3 1"),
        ((4.0, 2.0, 1.0), "4 2 1"),
        ((0.353553, 0.594604, 1.0), "0.354 0.595 1"),
    ],
)
def test_weights_are_written_as_people_do(weights: tuple[float, ...], text: str) -> None:
    assert weights_text(weights) == text
