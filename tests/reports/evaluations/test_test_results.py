"""Test results of a sweep: which one to report, and repeated evaluations in one line."""

from __future__ import annotations

from dataclasses import replace

from autohier.core.training.metrics import Evaluation
from autohier.records.reader import Records
from autohier.records.rows import evaluation_row, stage_rows
from autohier.records.schema import EvaluationRow
from autohier.records.trial_rows import complete_row
from autohier.reports.evaluations.test_results import earlier_lines, evaluations_text
from support.fakes.fake_outcomes import MINUTE, START, fake_confusion, fake_outcome, fake_row

# Prune 1 is kept: 81 of 120 validation clips, pass 2 has 78.
_OUTCOME = fake_outcome(72, (78, 81))
_WINNER = complete_row(fake_row("t0001"), _OUTCOME, START + MINUTE)


def _result(stage: str, num_right: int, *, minutes: int = 0, trial: str = "t0001") -> EvaluationRow:
    evaluation = Evaluation(1.0, (num_right / 120,), fake_confusion(num_right))
    return evaluation_row(replace(_WINNER, trial=trial), stage, evaluation, START + minutes * MINUTE)


def _records(*tests: EvaluationRow, validation: str = "clean") -> Records:
    winner = replace(_WINNER, validation=validation)
    return Records(trials=(winner,), stages=stage_rows("t0001", _OUTCOME.stages), tests=tests)


def test_the_refit_of_the_kept_pass_is_the_result_to_report() -> None:
    # 60 of 120 clips: 50%, whose Wilson interval is 41.2% to 58.8%.
    tests = (_result("pass 1", 84), _result("prune 1", 72), _result("pass 1, refit", 96))
    records = _records(*tests, _result("prune 1, refit", 60))
    first, origin, title, *rest = evaluations_text(records).splitlines()
    assert first == (
        "Result: 50.0% on the test split (95% interval 41.2 to 58.8; 120 clips; cross-subject; 1 refit)"
    )
    assert origin == "  of t0001 prune 1, refit, 2026-03-01 12:00 UTC"
    assert title == "ablation, not to be chosen from:"
    assert [line[:30] for line in rest] == [
        "  70.0% (t0001 pass 1; cross-s",
        "  60.0% (t0001 prune 1; cross-",
        "  80.0% (t0001 pass 1, refit; ",
    ]


def test_without_a_refit_the_kept_pass_is_reported() -> None:
    text = evaluations_text(_records(_result("pass 1", 84), _result("prune 1", 72)))
    assert text.startswith("Result: 60.0% on the test split (")
    assert "; no refit)\n  of t0001 prune 1, " in text


def test_folds_have_no_result_to_report_but_the_refit() -> None:
    text = evaluations_text(_records(_result("prune 1", 72), validation="folds"))
    assert text.startswith("test accuracy of the best trial: not evaluated yet\nablation,")


def test_equal_results_are_one_line_in_the_order_of_time() -> None:
    again = [_result("prune 1, refit", 60, minutes=minutes) for minutes in (30, 10, 20)]
    records = _records(*again, _result("prune 1, refit", 60), _result("pass 2", 84, minutes=5))
    _, origin, reads, _, other = evaluations_text(records).splitlines()
    assert origin.endswith("evaluated 4 times, 2026-03-01 12:00 UTC to 2026-03-01 12:30 UTC")
    assert reads.startswith("test split read 5 times; ")
    assert other.startswith("  70.0% (t0001 pass 2; ")


def test_a_second_number_of_the_reported_network_is_listed() -> None:
    records = _records(_result("prune 1, refit", 66, minutes=1), _result("prune 1, refit", 60))
    first, _, _, _, other = evaluations_text(records).splitlines()
    assert "Result: 50.0%" in first
    assert other.startswith("  55.0% (t0001 prune 1, refit; ")


def test_other_trials_are_listed_apart() -> None:
    records = _records(_result("prune 1, refit", 60), _result("pass 2", 96, trial="t0007"))
    assert evaluations_text(records).splitlines()[2:3] == ["other trials, not to be chosen from:"]


def test_a_repeated_evaluation_warns_only_if_a_number_or_a_model_differs() -> None:
    now = _result("prune 1", 60, minutes=9)
    assert earlier_lines(now, []) == []
    # The sweep's own ablation is of the same model.
    assert earlier_lines(now, [_result("pass 1", 84)]) == []
    equal = [_result("prune 1", 60, minutes=minutes) for minutes in (3, 1)]
    assert earlier_lines(now, equal) == ["the same as before (2 times, last 2026-03-01 12:03 UTC)"]
    (warning,) = earlier_lines(now, [_result("prune 1", 66)])
    assert warning == (
        "WARNING: earlier evaluations of this model gave another number: 55.0% 2026-03-01 12:00 UTC"
    )
    (warning,) = earlier_lines(now, [_result("prune 1", 60, trial="t0007")])
    assert warning.startswith("WARNING: other models were evaluated on this test split before: t0007. ")


def test_the_result_of_several_refits_is_their_mean() -> None:
    # 60, 66 and 72 of 120 clips: 55% on average, whose Wilson interval is 46.1% to 63.6%.
    further = [
        replace(_result("prune 1, refit", right, minutes=1), refit_seed=seed)
        for seed, right in ((8, 66), (9, 72))
    ]
    records = _records(_result("prune 1, refit", 60), *further)
    first, origin = evaluations_text(records).splitlines()
    assert first == (
        "Result: 55.0% on the test split (95% interval 46.1 to 63.6; 120 clips; cross-subject; 3 refits)"
    )
    assert origin.startswith("  mean of t0001 prune 1, refit with 3 seeds: 50.0%, 55.0%, 60.0%, ")
