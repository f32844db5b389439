"""The ablation of a sweep: which trial and stage every cell comes from."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.training.metrics import Evaluation
from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.records.rows import evaluation_row, stage_rows
from autohier.records.schema import StageRow, TrialRow
from autohier.records.trial_rows import complete_row
from autohier.reports.trials.ablation import ablation, ablation_latex
from support.command_line import Autohier
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_confusion, fake_outcome, fake_row
from support.sweep_runs.recorded_sweeps import open_recorded_sweep


def trial(
    name: str, chain: tuple[int, ...], params: Hyperparameters
) -> tuple[TrialRow, tuple[StageRow, ...]]:
    outcome = fake_outcome(60, chain, params=params)
    return complete_row(fake_row(name, params), outcome, START + MINUTE), stage_rows(name, outcome.stages)


def sweep(*trials: tuple[TrialRow, tuple[StageRow, ...]]) -> Records:
    return Records(
        trials=tuple(row for row, _ in trials), stages=tuple(row for _, rows in trials for row in rows)
    )


def other(**changes: object) -> Hyperparameters:
    return PARAMS.model_copy(update=changes)


def test_chains_come_from_the_trial_that_differs_least() -> None:
    rows = ablation(
        sweep(
            trial("t0000", (90, 96), PARAMS),
            trial("t0001", (90, 84), other(scope="global", ratio=0.3)),
            trial("t0002", (90, 78, 72), other(scope="global", ratio=0.15)),
            trial("t0003", (90, 66), other(scope="global", ratio=0.1, weight_ratio=1.0)),
            trial("t0004", (90, 93), other(ratio=0.0)),
        )
    )
    # 60, 90, 96, ... of 120 clips. Global pruning with the superclasses and weights of the best comes first.
    assert [(row.step, row.trial, row.accuracy, row.is_kept) for row in rows] == [
        ("baseline", "t0000", 0.5, False),
        ("hierarchy", "t0000", 0.75, False),
        ("layerwise pruning, 1 pass", "t0000", 0.8, True),
        ("global pruning, 1 pass", "t0002", 0.65, False),
        ("global pruning, 2 passes", "t0002", 0.6, False),
        ("retraining, nothing pruned, 1 pass", "t0004", 0.775, False),
    ]
    assert [row.difference for row in rows[:3]] == [-0.25, None, pytest.approx(0.05)]
    assert [row.is_noise for row in rows[:3]] == [False, None, True]
    assert {row.split for row in rows} == {"validation"}


@pytest.mark.parametrize(
    ("validation", "split", "accuracy"), [("paper", "test", 0.5), ("clean", "validation", 0.8)]
)
def test_test_accuracies_stand_in_it_under_paper_validation_only(
    validation: str, split: str, accuracy: float
) -> None:
    records = sweep(trial("t0000", (90, 96), PARAMS))
    row = replace(records.trials[0], validation=validation)
    tested = evaluation_row(row, "prune 1", Evaluation(1.0, (0.5,), fake_confusion(60)), START)
    kept = ablation(replace(records, trials=(row,), tests=(tested,)))[2]
    assert (kept.split, kept.accuracy) == (split, accuracy)


def test_latex_escapes_and_marks_the_kept_pass() -> None:
    records = sweep(trial("t0000", (90, 96), PARAMS))
    records = replace(records, trials=(replace(records.trials[0], dataset="a\nb"),))
    text = ablation_latex(records)
    assert text.splitlines()[0].startswith("% Ablation of t0000: accuracy on a b")
    assert r"layerwise pruning, 1 pass & 2/4 & \textbf{80.0} & " in text
    assert r"95\% interval" in text
    assert text.count(r" \\") == 1 + 3


def test_an_ablation_needs_a_complete_trial_with_stages() -> None:
    with pytest.raises(InputError, match="needs a complete trial"):
        ablation(Records())
    with pytest.raises(InputError, match="t0000 without"):
        ablation(replace(sweep(trial("t0000", (90,), PARAMS)), stages=()))


def test_the_command_prints_a_table_latex_or_csv(autohier: Autohier, tmp_path: Path) -> None:
    open_recorded_sweep(tmp_path).complete(60, 66)
    shown = autohier("ablation", "sweep", "--out", tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert "hierarchy" in shown.out
    assert r"\begin{tabular}" in autohier("ablation", "sweep", "--out", tmp_path, "--latex").out
    text = autohier("ablation", "sweep", "--out", tmp_path, "--csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["group"], row["accuracy"]) for row in rows[:2]] == [
        ("baseline", "0.6"),
        ("hierarchy", "0.5"),
    ]
    both = ("--out", tmp_path, "--latex", "--csv")
    assert "forms of one output" in autohier("ablation", "sweep", *both).error
