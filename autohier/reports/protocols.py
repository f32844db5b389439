"""Sweeps of one dataset, one for each of its protocols: the test accuracy of every winner, and the mean.

N-UCLA is reported so (HAC section 4.4): each of three views tests once, and the mean over them is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from rich.box import SIMPLE_HEAD
from rich.table import Table

from autohier.core.stages.result import stage_label
from autohier.data.protocols import PROTOCOLS
from autohier.errors import InputError
from autohier.records.interval import mean_interval
from autohier.records.reader import Records
from autohier.records.schema import ReadingRow, TrialRow
from autohier.reports.leaderboard import VALIDATION


@dataclass(frozen=True, slots=True)
class WinnerReading:
    """What the test split said of a sweep's winner.

    Attributes:
        sweep: name of the sweep.
        winner: the trial.
        kept: the reading of its kept stage; of folds, which have no network of their own, refit.
        refit: that of the same stage, refit on all training clips; None where there is none beside the other.
    """

    sweep: str
    winner: TrialRow
    kept: ReadingRow
    refit: ReadingRow | None


def read_winners(sweeps: Sequence[tuple[str, Records]]) -> tuple[WinnerReading, ...]:
    """The test reading of each sweep's winner, by the protocols' names.

    Args:
        sweeps: names of sweeps and their records.

    Raises:
        InputError: where a sweep has not read the test split, or they are not of different protocols of one
            dataset with one kind of validation.
    """
    readings = sorted(
        (_read_winner(name, records) for name, records in sweeps), key=lambda one: one.winner.protocol
    )
    for what in ("dataset", "validation"):
        values = {getattr(reading.winner, what): reading.sweep for reading in readings}
        if len(values) > 1:
            raise InputError(
                f"sweeps under several protocols must have one {what}",
                got=", ".join(f"{value} in {sweep}" for value, sweep in values.items()),
            )
    protocols = [reading.winner.protocol for reading in readings]
    if len(set(protocols)) < len(readings):
        raise InputError(
            "each sweep must be of a protocol of its own",
            got=", ".join(f"{reading.winner.protocol} in {reading.sweep}" for reading in readings),
            remedy="search with e.g. --set protocol.name=view1",
        )
    return tuple(readings)


def _read_winner(sweep: str, records: Records) -> WinnerReading:
    ranked = records.ranked()
    winner = ranked[0] if ranked else None
    kept = refit = None
    if winner is not None:
        stages = {reading.stage: reading for reading in records.tests_of(winner.trial)}
        label = stage_label("prune" if winner.kept_pass else "pass-2", winner.kept_pass or 0)
        kept, refit = stages.get(label), stages.get(f"{label}, refit")
        if winner.validation == "folds":  # these are read refit alone
            kept, refit = refit, None
    if winner is None or kept is None:
        raise InputError(
            "a sweep must have read the test split, which it does for its winner when all its trials are run",
            got=f"{sweep}, which has not",
            remedy=f"autohier resume {sweep}",
        )
    return WinnerReading(sweep, winner, kept, refit)


def protocol_table(readings: Sequence[WinnerReading]) -> Table:
    """Test accuracies of winners with their 95% intervals, and below them their mean with its own."""
    first = readings[0].winner
    validation = VALIDATION.get(first.validation, first.validation)
    table = Table(title=f"Test accuracy on {first.dataset}, {validation}", box=SIMPLE_HEAD)
    table.title_justify = table.caption_justify = "left"
    table.show_edge, table.pad_edge, table.padding = False, False, (0, 1, 0, 0)
    for column in ("sweep", "protocol", "test clips", "trial", "kept stage"):
        table.add_column(column, justify="right" if column == "test clips" else "left")
    are_refit = all(reading.refit for reading in readings)
    for column in ("accuracy", "refit on all training clips")[: 1 + are_refit]:
        table.add_column(f"{column}, 95% interval", justify="right")
    for reading in readings:
        cells = [_told([row]) for row in (reading.kept, reading.refit)[: 1 + are_refit] if row]
        about = (reading.sweep, reading.winner.protocol, f"{reading.kept.num_clips:,}", reading.winner.trial)
        table.add_row(*about, reading.kept.stage, *cells)
    table.add_section()
    means = [_told([reading.kept for reading in readings])]
    if are_refit:
        means.append(_told([reading.refit for reading in readings if reading.refit]))
    table.add_row("", f"mean of {len(readings)}", "", "", "", *means)
    table.caption = _caption(readings)
    return table


def _caption(readings: Sequence[WinnerReading]) -> str:
    dataset = readings[0].winner.dataset
    told = {reading.winner.protocol for reading in readings}
    missing = [rule.name for rule in PROTOCOLS.get(dataset, ()) if rule.name not in told]
    notes = [f"{dataset} has more protocols: {', '.join(missing)} not among these."] if missing else []
    return " ".join((*notes, "The mean's interval takes the protocols' test clips as independent."))


def _told(rows: Iterable[ReadingRow]) -> str:
    measured = [(row.accuracy, row.num_clips) for row in rows]
    low, high = mean_interval(measured)
    return f"{mean(accuracy for accuracy, _ in measured):.1%}, {100 * low:.1f}-{100 * high:.1f}"
