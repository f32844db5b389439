"""Robustness of models as rows and as a table: a row per condition, a column per model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from rich.table import Table

from autohier.deploy.measurements.robustness import Measured
from autohier.records.statistics import mcnemar_p_value, wilson_interval
from autohier.reports.text import interval_text, percent, plain_table
from autohier.text import shown

_LEGEND: Final = {
    "joint drop": "probability that a frame loses a random joint of each person",
    "joint noise": "standard deviation, as a share of the person's size",
    "frame rate": "share of the frames that stay",
    "occlusion": "share of the frame under a black square",
    "poses": "prepared dataset that the poses come from, for the clips that it holds",
}
"""Meaning of the levels of each corruption."""


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """Accuracy of one model under one condition."""

    model: Annotated[str, "name of the model, as it was given"]
    clips: Annotated[str, "measured clips, e.g. validation clips"]
    corruption: Annotated[str, "none, joint drop, joint noise, frame rate, occlusion or poses"]
    level: Annotated[str, "strength in words, e.g. 1/8; for poses the store that they come from"]
    strength: Annotated[
        float | None,
        "strength as a number: probability, deviation as a share of the person's size, share of the frames "
        "that stay, or covered share of the frame; null for none and poses",
    ]
    num_clips: Annotated[int, "number of clips"]
    accuracy: Annotated[float, "accuracy over the classes"]
    accuracy_low: Annotated[float, "lower end of its 95% Wilson interval"]
    accuracy_high: Annotated[float, "upper end of its 95% Wilson interval"]
    change: Annotated[float, "difference from the accuracy on the same clips as they are"]
    newly_wrong: Annotated[int, "clips that are right as they are, and wrong now"]
    newly_right: Annotated[int, "clips that are wrong as they are, and right now"]
    p_value: Annotated[float, "two-sided p-value of McNemar's exact test of these two numbers"]


def robustness_rows(model: str, clips: str, measured: Iterable[Measured]) -> Iterator[RobustnessRow]:
    """Yield a row per condition."""
    for each in measured:
        right_N, clean_N = each.predictions.is_right, each.clean.is_right
        newly_wrong, newly_right = int((clean_N & ~right_N).sum()), int((right_N & ~clean_N).sum())
        accuracy = each.predictions.accuracy
        low, high = wilson_interval(accuracy, len(right_N))
        yield RobustnessRow(
            model=model,
            clips=clips,
            corruption=each.condition.kind,
            level=each.condition.level,
            strength=each.condition.strength,
            num_clips=len(right_N),
            accuracy=accuracy,
            accuracy_low=low,
            accuracy_high=high,
            change=accuracy - each.clean.accuracy,
            newly_wrong=newly_wrong,
            newly_right=newly_right,
            p_value=mcnemar_p_value(newly_right, newly_wrong),
        )


def robustness_table(rows: Sequence[RobustnessRow]) -> Table:
    """Return a table with a row per condition and a column per model: accuracy, interval and change."""
    models = list(dict.fromkeys(row.model for row in rows))
    table = plain_table()
    table.add_column("corruption")
    table.add_column("level")
    for model in models:
        table.add_column(shown(model), justify="right")
    firsts = [next(row for row in rows if row.model == model) for model in models]
    table.add_row("clips", "", *(f"{row.num_clips:,} {shown(row.clips)}" for row in firsts))
    cells = {(row.corruption, row.level, row.model): _cell(row) for row in rows}
    for corruption, level in dict.fromkeys((row.corruption, row.level) for row in rows):
        own = [cells.get((corruption, level, model), "") for model in models]
        table.add_row(corruption, shown(level), *own)
    return table


def legend_lines(rows: Sequence[RobustnessRow]) -> Iterator[str]:
    """Yield the meaning of the levels of the corruptions in rows."""
    yield "accuracy, 95% interval, and change in points on the same clips; levels:"
    for corruption in dict.fromkeys(row.corruption for row in rows):
        if corruption in _LEGEND:
            yield f"  {corruption}: {_LEGEND[corruption]}"


def _cell(row: RobustnessRow) -> str:
    text = f"{percent(row.accuracy)}  {interval_text(row.accuracy_low, row.accuracy_high)}"
    return text + (f"  {100 * row.change:+5.1f}" if row.corruption != "none" else " " * 7)
