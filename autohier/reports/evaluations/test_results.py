"""Test results of a sweep: the one to report first, then the others; repeated ones are one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from autohier.records.reader import Records
from autohier.records.schema import EvaluationRow
from autohier.records.statistics import wilson_interval
from autohier.reports.evaluations.levels import levels_text, pathways_text
from autohier.reports.text import percent
from autohier.text import plural, time_text


@dataclass(frozen=True, slots=True)
class RepeatedResult:
    """Equal test results of one network."""

    rows: tuple[EvaluationRow, ...]
    """At least one, ordered by time."""

    @property
    def first(self) -> EvaluationRow:
        """The first evaluation."""
        return self.rows[0]

    @property
    def times_text(self) -> str:
        """Time of the evaluation, or the number of evaluations and the times of the first and the last."""
        first, last = self.rows[0], self.rows[-1]
        if len(self.rows) == 1:
            return time_text(first.evaluated_at)
        times = f"{time_text(first.evaluated_at)} to {time_text(last.evaluated_at)}"
        return f"evaluated {plural(len(self.rows), 'time')}, {times}"


def group_results(rows: Sequence[EvaluationRow]) -> tuple[RepeatedResult, ...]:
    """Group equal test results of one network, ordered by their first evaluation."""
    groups: dict[tuple[object, ...], tuple[EvaluationRow, ...]] = {}
    for row in sorted(rows, key=lambda row: row.evaluated_at):
        key = (row.trial, row.stage, row.protocol, row.validation, row.accuracy, row.num_clips)
        groups[key] = (*groups.get(key, ()), row)
    return tuple(map(RepeatedResult, groups.values()))


def evaluations_text(records: Records) -> str:
    """Return the test result to report, then the other ones.

    The result to report is that of the best trial's kept pass, refit if it was.
    """
    if not records.tests:
        return "test accuracy: not evaluated yet"
    winner = next(iter(records.ranked()), None)
    headline = records.reported_result(winner) if winner else None
    further = records.further_refits(winner) if winner else ()
    groups = group_results([row for row in records.tests if row not in further])
    reported = [group for group in groups if headline in group.rows]
    others = [group for group in groups if headline not in group.rows]
    steps = [group for group in others if winner and group.first.trial == winner.trial]
    rest = [group for group in others if group not in steps]
    lines = []
    for group in reported:
        lines += _headline(group, further)
        if levels := levels_text(group.first, winner.superclasses if winner else ""):
            lines.append(f"  by level: {levels}")
        if pathways := pathways_text(group.first):
            lines.append(f"  by pathway: {pathways}")
    lines = lines or ["test accuracy of the best trial: not evaluated yet"]
    lines += _readings(records)
    for title, part in (("ablation", steps), ("other trials", rest)):
        if part:
            lines += [f"{title}, not to be chosen from:", *(f"  {_result_text(group)}" for group in part)]
    return "\n".join(lines)


def result_text(records: Records) -> str:
    """Return the test result to report, without those of other networks."""
    winner = next(iter(records.ranked()), None)
    headline = records.reported_result(winner) if winner else None
    if winner is None or headline is None:
        return "test accuracy of the best trial: not evaluated yet"
    further = records.further_refits(winner)
    groups = group_results([row for row in records.tests if row not in further])
    lines = [line for group in groups if headline in group.rows for line in _headline(group, further)]
    return "\n".join([*lines, *_readings(records)])


def _readings(records: Records) -> list[str]:
    num_reads = len({row.evaluated_at for row in records.tests if row.refit_seed is None})
    text = f"test split read {num_reads} times; only its first reading was untouched by choices"
    return [text] if num_reads > 1 else []


def earlier_lines(result: EvaluationRow, earlier: Sequence[EvaluationRow]) -> list[str]:
    """Return what earlier test results say about a new one; a warning if a number or a model differs.

    Args:
        result: the new test result.
        earlier: results that its records folder held before.
    """
    same = [row for row in earlier if (row.trial, row.stage) == (result.trial, result.stage)]
    equal = [row for row in same if (row.accuracy, row.num_clips) == (result.accuracy, result.num_clips)]
    unequal = group_results([row for row in same if row not in equal])
    lines = []
    if equal:
        last = max(row.evaluated_at for row in equal)
        lines.append(f"the same as before ({plural(len(equal), 'time')}, last {time_text(last)})")
    if unequal:
        numbers = "; ".join(f"{percent(group.first.accuracy)} {group.times_text}" for group in unequal)
        lines.append(f"WARNING: earlier evaluations of this model gave another number: {numbers}")
    others = dict.fromkeys(row.trial for row in earlier if row.trial != result.trial)
    if others:
        lines.append(
            f"WARNING: other models were evaluated on this test split before: {', '.join(others)}. "
            "Choosing models by test accuracy overfits the test split."
        )
    return lines


def _headline(group: RepeatedResult, further: Sequence[EvaluationRow]) -> list[str]:
    """Return the result of a sweep in one line, and where it comes from in another."""
    row = group.first
    accuracies = [row.accuracy, *(each.accuracy for each in further)]
    low, high = wilson_interval(mean(accuracies), row.num_clips)
    refits = plural(len(accuracies), "refit") if row.stage.endswith(", refit") else "no refit"
    origin = f"  {'mean of' if further else 'of'} {row.trial} {row.stage}"
    origin += f" with {len(accuracies)} seeds: {', '.join(map(percent, accuracies))}" if further else ""
    about = f"{plural(row.num_clips, 'clip')}; {row.protocol}; {refits}"
    interval = f"95% interval {100 * low:.1f} to {100 * high:.1f}"
    result = f"Result: {percent(mean(accuracies))} on the test split ({interval}; {about})"
    return [result, f"{origin}, {group.times_text}"]


def _result_text(group: RepeatedResult) -> str:
    row = group.first
    interval = f"95% interval {percent(row.accuracy_low)} to {percent(row.accuracy_high)}"
    return (
        f"{percent(row.accuracy)} ({row.trial} {row.stage}; {row.protocol}), {interval}, "
        f"{plural(row.num_clips, 'clip')}, {group.times_text}"
    )
