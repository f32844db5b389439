"""Record rows are written and read back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autohier.core.stages.kinds.hac import PRUNE
from autohier.core.training.metrics import Evaluation
from autohier.errors import InputError
from autohier.records.history import TrialHistory
from autohier.records.reader import Records, params_of, read_records, read_rows, read_table
from autohier.records.rows import evaluation_row
from autohier.records.schema import ROW_FOLDERS, EpochRow, Row, StageRow, TrialRow, parquet_schema
from autohier.records.trial_rows import complete_row, unfinished_row, weights_text
from autohier.records.writer import RecordWriter
from support.fakes.fake_outcomes import (
    MINUTE,
    NUM_CLIPS,
    PARAMS,
    START,
    fake_confusion,
    fake_epoch,
    fake_outcome,
    fake_row,
    replay,
)

END = START + 5 * MINUTE


def _write_complete(folder: Path, trial: str = "t0000") -> TrialRow:
    # Pass 1, reused, has 72 of 120 clips correct, pass 2 78, prune 1 81.
    outcome = fake_outcome(72, (78, 81))
    writer = RecordWriter(folder)
    writer.write_trial(fake_row(trial))
    row = complete_row(fake_row(trial), outcome, END)
    writer.write_ended(row, outcome.stages)
    return row


def test_a_started_trial_is_running(tmp_path: Path) -> None:
    row = fake_row("t0003")
    RecordWriter(tmp_path).write_trial(row)
    records = read_records(tmp_path)
    assert records.trials == (row,)
    assert (row.state, row.superclasses, row.stack_weights) == ("RUNNING", "2/4", "1/4 1/2 1")
    assert records.ranked() == ()


def test_a_complete_trial_has_accuracies_cost_and_effort(tmp_path: Path) -> None:
    written = _write_complete(tmp_path)
    (row,) = read_rows(tmp_path, TrialRow)
    assert row == written
    assert (row.accuracy, row.pass_1_accuracy, row.pass_2_accuracy) == (81 / 120, 72 / 120, 78 / 120)
    assert (row.kept_pass, row.passes_trained, row.passes) == (1, 1, 3)
    assert row.num_validation_clips == NUM_CLIPS
    # Each fake pruning pass removes a tenth of the parameters and half of the multiply-adds.
    assert (row.dense_parameters, row.parameters) == (1_000_000, 900_000)
    assert (row.dense_multiply_adds, row.multiply_adds) == (2_000_000_000, 1_000_000_000)
    # Three stages of 2 epochs and 3 seconds; pass 1 is reused.
    assert (row.epochs_computed, row.epochs_reused) == (4, 2)
    assert (row.seconds_computed, row.seconds_reused) == (6.0, 3.0)
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


def test_epoch_steps_count_over_all_stages(tmp_path: Path) -> None:
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


def test_a_trial_that_runs_again_replaces_its_rows(tmp_path: Path) -> None:
    row = replace(fake_row("t0000"), seed=7)
    _write_complete(tmp_path)
    writer = RecordWriter(tmp_path)
    failed = unfinished_row(row, "FAIL", reason="loss is NaN", failure="not a number", at=END)
    writer.write_ended(failed, stages=())
    records = read_records(tmp_path)
    assert [(trial.state, trial.reason, trial.failure, trial.seed) for trial in records.trials] == [
        ("FAIL", "loss is NaN", "not a number", 7)
    ]
    assert (records.stages, records.epochs) == ((), ())
    assert records.trials[0].accuracy is None


def test_a_requeued_trial_keeps_its_rows(tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    failed = unfinished_row(
        fake_row(), "FAIL", reason="no space", failure="disk full", at=END, stages=outcome.stages
    )
    writer = RecordWriter(tmp_path)
    writer.write_ended(failed, outcome.stages)
    writer.write_requeued(failed)
    records = read_records(tmp_path)
    assert records.trials == (replace(failed, state="REQUEUED"),)
    assert len(records.stages) == 2


def test_a_stopped_trial_keeps_its_history(tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    history = TrialHistory()
    replay(outcome, history)
    history.on_stage_start(PRUNE, 1, reused=False)
    history.on_epoch_end(PRUNE, 1, fake_epoch(0, 50, 3), reused=True)
    history.on_epoch_end(PRUNE, 1, fake_epoch(1, 60, 3), reused=False)
    row = unfinished_row(
        fake_row(),
        "PRUNED",
        reason="behind the median",
        at=END,
        stages=history.stages,
        unfinished=history.unfinished,
    )
    RecordWriter(tmp_path).write_ended(row, history.stages, history.unfinished)
    assert history.stages == outcome.stages
    # Pass 2 computes 2 epochs in 3 s; the unfinished stage computes 1 epoch in 1 s and reuses 1.
    assert (row.epochs_computed, row.seconds_computed, row.epochs_reused) == (3, 4.0, 3)
    assert (row.pass_2_accuracy, row.passes_trained, row.kept_pass) == (78 / 120, 0, None)
    last = read_rows(tmp_path, EpochRow)[-1]
    assert (last.kind, last.pass_index, last.step) == ("prune", 1, 6)
    assert len(read_rows(tmp_path, StageRow)) == 2


def test_a_history_has_no_unfinished_stage_after_a_stage() -> None:
    history = TrialHistory()
    replay(fake_outcome(), history)
    assert history.unfinished is None


def test_test_results_have_their_interval(tmp_path: Path) -> None:
    evaluation = Evaluation(
        loss=1.0,
        stack_accuracies=(0.9, 0.5),
        confusion_KK=fake_confusion(60),
        stack_top5_accuracies=(1.0, 0.8),
        stack_mean_class_accuracies=(0.85, 0.45),
    )
    written = evaluation_row(fake_row(), "prune 1", evaluation, END)
    RecordWriter(tmp_path).write_test_results("t0000", [written])
    (read,) = read_records(tmp_path).tests_of("t0000")
    assert read == written
    assert (read.accuracy, read.num_clips) == (0.5, 120)
    assert (read.stack_top5_accuracies, read.stack_mean_class_accuracies) == ((1.0, 0.8), (0.85, 0.45))
    # At one half the Wilson interval is symmetric: half width z / 2 / sqrt(n + z^2) = .0880.
    assert read.accuracy_low == pytest.approx(0.5 - 0.0880, abs=1e-4)
    assert read.accuracy_high == pytest.approx(0.5 + 0.0880, abs=1e-4)


def test_trials_are_ranked_by_accuracy_then_cost_then_name(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    cheap = replace(row, trial="t0002", multiply_adds=1)
    twin = replace(row, trial="t0001")
    best = replace(row, trial="t0003", accuracy=0.99, multiply_adds=10**12)
    confirmation = replace(best, trial="c0000", number=None)
    running = fake_row("t0004")
    records = Records(trials=(row, twin, cheap, best, confirmation, running))
    assert [ranked.trial for ranked in records.ranked()] == ["t0003", "t0002", "t0000", "t0001"]


def test_seeds_of_a_config_include_all_params_with_its_effect(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    # Without pruning, scope and ratio have no effect.
    lucky = replace(row, trial="t0000", passes=0, ratio=0.1, scope="layerwise", accuracy=0.90)
    unlucky = replace(row, trial="t0001", passes=0, ratio=0.3, scope="global", accuracy=0.80)
    steady = replace(row, trial="t0002", passes=2, ratio=0.2, accuracy=0.87)
    records = Records(trials=(steady, unlucky, replace(lucky, seed=5)))
    # The first seed's 0.90 counts for the config; its mean, 0.85, is not compared with a single 0.87.
    assert records.ranked() == (replace(lucky, seed=5), unlucky, steady)
    assert records.seeds_of(lucky) == records.seeds_of(unlucky) == (0.90, 0.80)


def test_variant_and_searched_hyperparameters_are_recorded(tmp_path: Path) -> None:
    sampled = {
        "variant": "bone",
        "settings": (("optimisation.lr_factor", 0.2), ("pruning.norm", "layer-mean")),
    }
    params = PARAMS.model_copy(update=sampled)
    RecordWriter(tmp_path).write_trial(fake_row("t0000", params))
    RecordWriter(tmp_path).write_trial(fake_row("t0001"))
    bone, plain = read_rows(tmp_path, TrialRow)
    assert bone.params == '{"optimisation.lr_factor":0.2,"pruning.norm":"layer-mean"}'
    assert params_of(bone) == params
    assert (plain.variant, plain.params) == ("", "")
    assert params_of(plain) == PARAMS


def test_pandas_reads_the_folder_of_a_whole_sweep(tmp_path: Path) -> None:
    _write_complete(tmp_path, "t0000")
    RecordWriter(tmp_path).write_trial(fake_row("t0001"))
    frame = pd.read_parquet(tmp_path / "trials")
    assert list(frame["trial"]) == ["t0000", "t0001"]
    assert list(frame["state"]) == ["COMPLETE", "RUNNING"]
    assert str(frame["started_at"].dt.tz) == "UTC"


@pytest.mark.parametrize("row_type", list(ROW_FOLDERS))
def test_a_missing_folder_has_columns_but_no_rows(tmp_path: Path, row_type: type[Row]) -> None:
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
    with pytest.raises(InputError, match=r"complete Parquet.*t0000\.parquet.*resume its sweep") as caught:
        read_records(tmp_path)
    assert "\n" not in str(caught.value)


def _unsealed(path: Path) -> pa.Table:
    """Return the table of a file, as an earlier version would have written it."""
    return pq.ParquetFile(path).read().replace_schema_metadata(None)


def test_any_parquet_reader_reads_the_digest_of_a_file(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    path = tmp_path / "trials" / "t0000.parquet"
    stated = pq.ParquetFile(path).metadata.metadata[b"autohier.sha256"]
    content = path.read_bytes()
    assert content.count(stated) == 1
    assert stated.decode() == hashlib.sha256(content.replace(stated, b"0" * 64)).hexdigest()


@pytest.mark.parametrize("kind", ["trials", "stages", "epochs"])
def test_no_byte_of_a_file_may_change(tmp_path: Path, kind: str) -> None:
    _write_complete(tmp_path)
    path = tmp_path / kind / "t0000.parquet"
    whole, expected = path.read_bytes(), read_records(tmp_path)
    for at in range(0, len(whole), 29):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        try:
            # A byte of the digest's own name: the values are untouched, as in a file without digest.
            assert read_records(tmp_path) == expected
        except InputError as error:
            assert f"{kind}/t0000.parquet" in str(error)  # noqa: PT017


def test_a_file_that_lost_its_digest_is_damaged(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    path = tmp_path / "trials" / "t0000.parquet"
    path.write_bytes(path.read_bytes().replace(b"autohier.sha256\x18", b"autohier.sha255\x18"))
    with pytest.raises(InputError, match=r"t0000\.parquet .it has lost its digest"):
        read_records(tmp_path)


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    path = tmp_path / "stages" / "t0000.parquet"
    pq.write_table(_unsealed(path).drop_columns(["label"]), path)
    with pytest.raises(InputError, match=r"t0000\.parquet.*label"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("trials", ("objective", "top5_accuracy", "mean_class_accuracy", "rung_epochs", "rung_values")),
        ("stages", ("stack_top5_accuracies", "stack_mean_class_accuracies")),
        ("epochs", ("stack_top5_accuracies", "stack_mean_class_accuracies")),
    ],
)
def test_files_of_an_older_version_without_these_columns_are_read(
    tmp_path: Path, kind: str, names: tuple[str, ...]
) -> None:
    row = _write_complete(tmp_path)
    path = tmp_path / kind / "t0000.parquet"
    pq.write_table(_unsealed(path).drop_columns(list(names)), path)
    records = read_records(tmp_path)
    assert records.trials[0].value == row.accuracy
    lacking = {"trials": records.trials, "stages": records.stages, "epochs": records.epochs}[kind][0]
    assert [getattr(lacking, name) for name in names] in (["accuracy", None, None, (), ()], [(), ()])


def test_accuracies_of_every_level_are_recorded(tmp_path: Path) -> None:
    _write_complete(tmp_path)
    records = read_records(tmp_path)
    # Pass 2 has 78 of 120 clips right, and half of the others in five guesses; superclasses are all right.
    pass_2 = records.stages[1]
    assert pass_2.stack_accuracies == (1.0, 1.0, 78 / 120)
    assert pass_2.stack_top5_accuracies == (1.0, 1.0, 99 / 120)
    assert pass_2.stack_mean_class_accuracies == (1.0, 1.0, 78 / 120)
    assert records.epochs[2].stack_top5_accuracies == (1.0, 1.0, 99 / 120)
    (trial,) = records.trials
    assert trial.top5_accuracy == pytest.approx(100.5 / 120)
    assert trial.mean_class_accuracy == 81 / 120


def test_trials_are_ranked_by_the_objective_of_their_sweep(tmp_path: Path) -> None:
    row = replace(_write_complete(tmp_path), objective="mean-class")
    good = replace(row, trial="t0001", accuracy=0.9, mean_class_accuracy=0.4)
    even = replace(row, trial="t0002", accuracy=0.5, mean_class_accuracy=0.8)
    records = Records(trials=(good, even))
    assert [ranked.trial for ranked in records.ranked()] == ["t0002", "t0001"]
    assert records.seeds_of(good) == (0.4, 0.8)
    plain = Records(trials=tuple(replace(each, objective="accuracy") for each in records.trials))
    assert [ranked.trial for ranked in plain.ranked()] == ["t0001", "t0002"]


def test_unknown_columns_are_ignored(tmp_path: Path) -> None:
    row = _write_complete(tmp_path)
    path = tmp_path / "trials" / "t0000.parquet"
    pq.write_table(_unsealed(path).append_column("mood", pa.array(["good"])), path)
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
def test_weights_are_written_as_fractions(weights: tuple[float, ...], text: str) -> None:
    assert weights_text(weights) == text


def test_a_recipe_may_name_its_first_stage_otherwise(tmp_path: Path) -> None:
    """Its test result shows that the sweep has tested the winner; one of 'autohier evaluate' does not."""
    row = _write_complete(tmp_path)
    records = read_records(tmp_path)
    stages = (replace(records.stages[0], label="warm-up"), *records.stages[1:])
    evaluation = Evaluation(1.0, (0.9,), fake_confusion(60), (1.0,), (0.85,))
    tests = [
        evaluation_row(row, stage, evaluation, END)
        for stage in ("warm-up", "warm-up, refit", records.stages[1].label)
    ]
    found = [replace(records, stages=stages, tests=(one,)).untested_winner() for one in tests]
    assert found == [None, None, row]
