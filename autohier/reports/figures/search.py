"""Figures of a search, from its records: history, parallel coordinates and Pareto front.

Each function returns None if no trial is complete yet.
"""

from __future__ import annotations

from datetime import datetime

from matplotlib.figure import Figure

from autohier.config.sweep import Provenance
from autohier.config.trial.overrides import is_number, value_text
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.reports.figures.charts import (
    Axis,
    FrontPoint,
    HistoryPoint,
    draw_front,
    draw_history,
    draw_parallel,
)
from autohier.reports.figures.classes import kept_stage
from autohier.sweep.choice.front import measured_networks, pareto_front

_HOUR_S = 3600


def history_figure(records: Records, provenance: Provenance) -> Figure | None:
    """Return the values of the trials against epochs and hours."""
    points = _history_points(records, datetime.fromisoformat(provenance.created_at))
    return draw_history(points, objective=objective_name(records)) if points else None


def objective_name(records: Records) -> str:
    """Return the objective of a sweep, in words."""
    by_class = any(row.objective == "mean-class" for row in records.trials)
    return "mean class accuracy" if by_class else "accuracy"


def parallel_figure(records: Records) -> Figure | None:
    """Return the trials over their hyperparameters."""
    rows = [row for row in records.trials if row.number is not None and row.state in {"COMPLETE", "PRUNED"}]
    values = [_value(records, row) for row in rows]
    return draw_parallel(_axes(rows), values) if any(value is not None for value in values) else None


def front_figure(records: Records) -> Figure | None:
    """Return the Pareto front of estimated accuracy and multiply-adds."""
    networks = list(measured_networks(records))
    if not networks:
        return None
    on_front = {each.stage.key for each in pareto_front(networks)}
    kept = kept_stage(records)
    points = [
        FrontPoint(
            each.stage.multiply_adds,
            each.candidate.estimate,
            *each.candidate.interval,
            is_on_front=each.stage.key in on_front,
            is_best=kept is not None and each.stage.key == kept.key,
        )
        for each in networks
    ]
    return draw_front(points)


def _history_points(records: Records, started: datetime) -> tuple[HistoryPoint, ...]:
    """Return the trials of the search that are complete or were stopped, in the order of their ends."""
    last = {epoch.trial: epoch.accuracy for epoch in sorted(records.epochs, key=lambda epoch: epoch.step)}
    rows = [row for row in records.trials if row.number is not None and row.finished_at is not None]
    epochs = sum(row.epochs_computed for row in records.work if row.name == "pass 1")
    points = []
    for row in sorted(rows, key=lambda row: (row.finished_at or started, row.trial)):
        epochs += row.epochs_computed or 0
        hours = ((row.finished_at or started) - started).total_seconds() / _HOUR_S
        value = row.value if row.state == "COMPLETE" else last.get(row.trial)
        if value is not None and row.state in {"COMPLETE", "PRUNED"}:
            points.append(HistoryPoint(epochs, max(0.0, hours), value, row.state == "COMPLETE"))
    return tuple(points)


def _value(records: Records, row: TrialRow) -> float | None:
    estimate = records.estimates.get(row.trial)
    if row.state != "COMPLETE":
        return None
    return estimate.value if estimate else row.value


def _axes(rows: list[TrialRow]) -> list[Axis]:
    """Return an axis for each hyperparameter: superclass counts by level, then the others."""
    counts = [params_of(row).superclasses for row in rows]
    num_levels = max(map(len, counts))
    axes = [
        Axis(
            f"superclasses\n{level + 1}",
            tuple(each[level] if level < len(each) else "none" for each in counts),
        )
        for level in range(num_levels)
    ]
    axes += [
        Axis("weight\nratio", tuple(row.weight_ratio for row in rows)),
        Axis("pruning\nscope", tuple(row.scope for row in rows)),
        Axis("pruning\nratio", tuple(row.ratio for row in rows)),
        Axis("passes", tuple(row.passes for row in rows)),
    ]
    if any(row.variant for row in rows):
        axes.append(Axis("variant", tuple(row.variant for row in rows)))
    settings = [dict(params_of(row).settings) for row in rows]
    for name in dict.fromkeys(name for own in settings for name in own):
        found = [own.get(name, "") for own in settings]
        axes.append(
            Axis(
                name.replace(".", "\n"),
                tuple(each if is_number(each) else value_text(each) for each in found),
            )
        )
    return axes
