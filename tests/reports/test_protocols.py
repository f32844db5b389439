"""The mean over protocols: the test results that it averages, and sweeps that cannot be averaged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from autohier.core.training.metrics import Evaluation
from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.records.rows import evaluation_row, stage_rows
from autohier.records.trial_rows import complete_row
from autohier.reports.evaluations.test_results import evaluations_text
from autohier.reports.protocols import protocol_table, read_winner_test_results
from support.fakes.fake_outcomes import MINUTE, START, fake_confusion, fake_outcome, fake_row


def _sweep(
    protocol: str,
    num_right: int,
    *,
    refit: int | None = None,
    dataset: str = "n-ucla",
    validation: str = "clean",
) -> Records:
    """A sweep whose winner kept its first pruning pass, with a number of 120 test clips correct."""
    outcome = fake_outcome(72, (90, 96))
    row = complete_row(fake_row(), outcome, START + MINUTE)
    row = replace(row, dataset=dataset, protocol=protocol, validation=validation)
    scores = {"pass 1": 12, "pass 2": 24, "prune 1": num_right}
    if refit is not None:
        scores |= {"pass 1, refit": 12, "pass 2, refit": 24, "prune 1, refit": refit}
    tests = [
        evaluation_row(row, stage, Evaluation(1.0, (right / 120,), fake_confusion(right)), START)
        for stage, right in scores.items()
    ]
    return Records(trials=(row,), stages=stage_rows(row.trial, outcome.stages), tests=tuple(tests))


def _table_text(*sweeps: tuple[str, Records]) -> str:
    console = Console(width=160, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(protocol_table(read_winner_test_results(sweeps)))
    return capture.get()


def test_the_mean_is_over_the_winners_kept_stages() -> None:
    text = _table_text(("b", _sweep("view3", 60)), ("c", _sweep("view2", 84)), ("a", _sweep("view1", 96)))
    rows = [line.split() for line in text.splitlines() if "view" in line]
    assert [row[:6] for row in rows] == [
        ["a", "view1", "120", "t0000", "prune", "1"],
        ["c", "view2", "120", "t0000", "prune", "1"],
        ["b", "view3", "120", "t0000", "prune", "1"],
    ]
    # Wilson at 96, 84 and 60 of 120: 72.0 to 86.2, 61.3 to 77.5, 41.2 to 58.8.
    assert [row[6:] for row in rows] == [
        ["80.0%,", "72.0-86.2"],
        ["70.0%,", "61.3-77.5"],
        ["50.0%,", "41.2-58.8"],
    ]
    # Below their mean of 66.67 it is sqrt(8.04^2 + 8.71^2 + 8.80^2) / 3 = 4.92 points, above it
    # sqrt(6.18^2 + 7.47^2 + 8.80^2) / 3 = 4.36.
    (mean,) = (line.split() for line in text.splitlines() if "mean of" in line)
    assert mean == ["mean", "of", "3", "66.7%,", "61.7-71.0"]
    assert "clean validation" in text
    assert "has further protocols" not in text
    assert "refit" not in text


def test_refits_have_a_mean_if_no_sweep_lacks_one() -> None:
    one, two = _sweep("view1", 60, refit=72), _sweep("view2", 60, refit=84)
    (mean,) = (line.split() for line in _table_text(("a", one), ("b", two)).splitlines() if "mean of" in line)
    assert mean[3::2] == ["50.0%,", "65.0%,"]
    assert "refit" not in _table_text(("a", one), ("b", _sweep("view2", 60)))


@pytest.mark.parametrize("validation", ["clean", "folds"])
def test_further_refits_count_as_in_the_sweeps_own_result(validation: str) -> None:
    sweep = _sweep("view1", 60, refit=72, validation=validation)
    (first,) = (row for row in sweep.tests if row.stage == "prune 1, refit")
    further = [replace(first, accuracy=right / 120, refit_seed=right) for right in (84, 96)]
    sweep = replace(sweep, tests=(*sweep.tests, *further))
    assert "Result: 70.0% on the test split (95% interval 61.3 to 77.5;" in evaluations_text(sweep)
    (row,) = (line.split() for line in _table_text(("a", sweep)).splitlines() if "t0000" in line)
    assert row[-2:] == ["70.0%,", "61.3-77.5"]


def test_of_folds_the_refit_is_table_text() -> None:
    whole = [_sweep(view, 60, refit=72, validation="folds") for view in ("view1", "view2")]
    one, two = (
        replace(each, tests=tuple(row for row in each.tests if "refit" in row.stage)) for each in whole
    )
    text = _table_text(("a", one), ("b", two))
    assert text.count("prune 1, refit") == 2
    (mean,) = (line.split() for line in text.splitlines() if "mean of" in line)
    assert mean[3] == "60.0%,"


def test_a_refit_alone_is_no_result_without_cross_validation() -> None:
    # The sweep ended before it evaluated its winner, and a user evaluated the winner, which refits it.
    refitted = _sweep("view1", 60, refit=72)
    refitted = replace(refitted, tests=tuple(row for row in refitted.tests if "refit" in row.stage))
    with pytest.raises(InputError, match=r"must have a test result.*got a without one"):
        _table_text(("a", refitted), ("b", _sweep("view2", 60)))


def test_a_protocol_that_is_missing_is_table_text() -> None:
    text = _table_text(("a", _sweep("view1", 60)), ("b", _sweep("view3", 60)))
    assert "mean of 2" in text
    assert "n-ucla has further protocols: view2." in text


def test_the_result_is_that_of_the_current_winner() -> None:
    # The sweep was extended: the first winner has test results, too, but is no longer the best.
    earlier = _sweep("view1", 120)
    better = replace(earlier.trials[0], trial="t0001", number=1, seed=1, ratio=0.2, accuracy=0.9)
    tests = tuple(replace(row, trial="t0001", accuracy=0.25) for row in earlier.tests)
    stages = tuple(replace(row, trial="t0001") for row in earlier.stages)
    grown = Records(
        trials=(*earlier.trials, better), stages=(*earlier.stages, *stages), tests=(*earlier.tests, *tests)
    )
    (winner, _) = read_winner_test_results([("a", grown), ("b", _sweep("view2", 60))])
    assert (winner.winner.trial, winner.kept.accuracy) == ("t0001", 0.25)


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (
            _sweep("view1", 60),
            "each sweep must have a different protocol, but got view1 in a, view1 in b: search",
        ),
        (_sweep("view2", 60, validation="paper"), "must have one validation, but got clean in a, paper in b"),
        (
            replace(_sweep("view2", 60), tests=()),
            "must have a test result, .* but got b without one: run .autohier resume b",
        ),
        (Records(), "must have a test result"),
    ],
    ids=["protocol", "validation", "no test result", "no trials"],
)
def test_incompatible_sweeps_are_rejected(other: Records, error: str) -> None:
    with pytest.raises(InputError, match=error):
        read_winner_test_results([("a", _sweep("view1", 60)), ("b", other)])


def test_sweeps_of_two_datasets_are_not_averaged() -> None:
    with pytest.raises(InputError, match="must have one dataset, but got n-ucla in a, demo in b"):
        read_winner_test_results([("a", _sweep("view1", 60)), ("b", _sweep("view2", 60, dataset="demo"))])
