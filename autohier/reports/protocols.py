"""Table of sweeps under different protocols of one dataset: test accuracy of each winner, and their mean.

N-UCLA is reported like this (HAC section 4.4): each of three views is the test view once, and the accuracies
are averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Annotated

from rich.table import Table

from autohier.data.protocols import PROTOCOLS
from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.records.schema import EvaluationRow, TrialRow
from autohier.records.statistics import mean_interval
from autohier.reports.text import interval_text, plain_table
from autohier.reports.trials.leaderboard import VALIDATION
from autohier.text import shell_words


@dataclass(frozen=True, slots=True)
class WinnerTestResult:
    """Test results of a sweep's winner.

    Attributes:
        sweep: name of the sweep.
        winner: its best trial.
        kept: test result of the winner's kept stage; with cross-validation, of its refit.
        refit: test result of that stage refit on all training clips, the mean of several refits; None if
            ``kept`` is the only one.
    """

    sweep: str
    winner: TrialRow
    kept: EvaluationRow
    refit: EvaluationRow | None


@dataclass(frozen=True, slots=True)
class ProtocolResult:
    """Test result of a sweep's winner under one protocol; the last row is the mean over the protocols."""

    sweep: Annotated[str, "name of the sweep; empty for the mean"]
    protocol: Annotated[str, "the dataset's split; empty for the mean"]
    trial: Annotated[str, "name of the winner; empty for the mean"]
    stage: Annotated[str, "its kept stage; empty for the mean"]
    num_clips: Annotated[int, "number of test clips"]
    accuracy: Annotated[float, "test accuracy of the kept stage"]
    low: Annotated[float, "lower end of its 95% interval"]
    high: Annotated[float, "upper end of its 95% interval"]
    refit_accuracy: Annotated[float | None, "test accuracy after the refit on all training clips"]
    refit_low: Annotated[float | None, "lower end of its 95% interval"]
    refit_high: Annotated[float | None, "upper end of its 95% interval"]


def protocol_results(test_results: Sequence[WinnerTestResult]) -> tuple[ProtocolResult, ...]:
    """Return the winners' test results, and their mean."""
    rows = [
        _result([one.kept], [one.refit] if one.refit else [], one.sweep, one.winner) for one in test_results
    ]
    refits = [one.refit for one in test_results if one.refit]
    whole = refits if len(refits) == len(test_results) else []
    return (*rows, _result([one.kept for one in test_results], whole))


def _result(
    kept: Sequence[EvaluationRow],
    refits: Sequence[EvaluationRow],
    sweep: str = "",
    winner: TrialRow | None = None,
) -> ProtocolResult:
    measured = [[(row.accuracy, row.num_clips) for row in rows] for rows in (kept, refits)]
    intervals = [mean_interval(each) if each else (None, None) for each in measured]
    return ProtocolResult(
        sweep=sweep,
        protocol=winner.protocol if winner else "",
        trial=winner.trial if winner else "",
        stage=kept[0].stage if sweep else "",
        num_clips=sum(row.num_clips for row in kept),
        accuracy=mean(accuracy for accuracy, _ in measured[0]),
        low=intervals[0][0] or 0.0,
        high=intervals[0][1] or 0.0,
        refit_accuracy=mean(accuracy for accuracy, _ in measured[1]) if refits else None,
        refit_low=intervals[1][0],
        refit_high=intervals[1][1],
    )


def read_winner_test_results(sweeps: Sequence[tuple[str, Records]]) -> tuple[WinnerTestResult, ...]:
    """Return the test results of each sweep's winner, ordered by the names of the protocols.

    Args:
        sweeps: names of sweeps and their records.

    Raises:
        InputError: if a sweep has no test result, or the sweeps do not have different protocols, one dataset
            and one kind of validation.
    """
    test_results = sorted(
        (_winner_test_result(name, records) for name, records in sweeps), key=lambda one: one.winner.protocol
    )
    for key in ("dataset", "validation"):
        values = {getattr(result.winner, key): result.sweep for result in test_results}
        if len(values) > 1:
            raise InputError(
                f"sweeps under several protocols must have one {key}",
                got=", ".join(f"{value} in {sweep}" for value, sweep in values.items()),
            )
    protocols = [result.winner.protocol for result in test_results]
    if len(set(protocols)) < len(test_results):
        raise InputError(
            "each sweep must have a different protocol",
            got=", ".join(f"{result.winner.protocol} in {result.sweep}" for result in test_results),
            hint="search them with --protocols all",
        )
    return tuple(test_results)


def _winner_test_result(sweep: str, records: Records) -> WinnerTestResult:
    ranked = records.ranked()
    winner = ranked[0] if ranked else None
    kept = refit = None
    if winner is not None:
        label = records.kept_label(winner)
        kept = records.first_test(winner, f"{label}")
        refit = _mean_of_refits(records, winner, records.first_test(winner, f"{label}, refit"))
        if winner.validation == "folds":  # only the refit is evaluated on the test split
            kept, refit = refit, None
    if winner is None or kept is None:
        raise InputError(
            "a sweep must have a test result, which it gets when all its trials are finished",
            got=f"{sweep} without one",
            hint=f"run '{shell_words('autohier', 'resume', sweep)}'",
        )
    return WinnerTestResult(sweep, winner, kept, refit)


def _mean_of_refits(records: Records, winner: TrialRow, first: EvaluationRow | None) -> EvaluationRow | None:
    """Return the result of a refit with the mean accuracy of all refits, as the sweep's own report has it."""
    if first is None:
        return None
    further = [row.accuracy for row in records.further_refits(winner)]
    return replace(first, accuracy=mean([first.accuracy, *further]))


def protocol_table(test_results: Sequence[WinnerTestResult]) -> Table:
    """Return a table of the winners' test accuracies with 95% intervals, and of their mean."""
    first = test_results[0].winner
    validation = VALIDATION.get(first.validation, first.validation)
    table = plain_table(f"Test accuracy on {first.dataset}, {validation}", _caption(test_results))
    for column in ("sweep", "protocol", "test clips", "trial", "kept stage"):
        table.add_column(column, justify="right" if column == "test clips" else "left")
    are_refit = all(result.refit for result in test_results)
    for column in ("accuracy", "refit on all training clips")[: 1 + are_refit]:
        table.add_column(f"{column}, 95% interval", justify="right")
    for result in test_results:
        cells = [_accuracy_text([row]) for row in (result.kept, result.refit)[: 1 + are_refit] if row]
        about = (result.sweep, result.winner.protocol, f"{result.kept.num_clips:,}", result.winner.trial)
        table.add_row(*about, result.kept.stage, *cells)
    table.add_section()
    means = [_accuracy_text([result.kept for result in test_results])]
    if are_refit:
        means.append(_accuracy_text([result.refit for result in test_results if result.refit]))
    table.add_row("", f"mean of {len(test_results)}", "", "", "", *means)
    return table


def _caption(test_results: Sequence[WinnerTestResult]) -> str:
    dataset = test_results[0].winner.dataset
    shown = {result.winner.protocol for result in test_results}
    missing = [rule.name for rule in PROTOCOLS.get(dataset, ()) if rule.name not in shown]
    notes = [f"{dataset} has further protocols: {', '.join(missing)}."] if missing else []
    return " ".join((*notes, "The mean's interval assumes that the protocols' test clips are independent."))


def _accuracy_text(rows: Iterable[EvaluationRow]) -> str:
    measured = [(row.accuracy, row.num_clips) for row in rows]
    return f"{mean(accuracy for accuracy, _ in measured):.1%}, {interval_text(*mean_interval(measured))}"
