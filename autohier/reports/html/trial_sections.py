"""Sections of the page on trials: leaderboard, history, parallel coordinates, importances, Pareto front."""

from __future__ import annotations

from datetime import datetime

from autohier.config.sweep import Provenance, SweepPlan
from autohier.config.trial.overrides import is_number, value_text
from autohier.errors import InputError
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.reports.html import elements as html
from autohier.reports.html.charts import (
    Axis,
    FrontPoint,
    draw_front,
    draw_history,
    draw_importances,
    draw_parallel,
)
from autohier.reports.html.findings import history_points, kept_stage
from autohier.reports.sweeps.standings import TrialStanding, trial_standings
from autohier.reports.text import count_text, interval_text, percent
from autohier.reports.trials.front import front_rows, winner_text
from autohier.reports.trials.importances import find_importances
from autohier.reports.unfinished import unfinished_text
from autohier.sweep.choice.front import measured_networks, pareto_front

_SVG = "image/svg+xml"
_NUMBERS = (
    *("rank", "accuracy", "estimate", "95% interval", "kept pass", "parameters", "multiply-adds"),
    *("epochs trained", "epochs reused"),
)
_NO_TRIAL = "No trial is complete yet."


def leaderboard_section(records: Records, *, is_driven: bool) -> html.Html:
    """Return the trials, best first, and why others ended.

    Args:
        records: of the sweep.
        is_driven: whether the sweep has a driver; without one its unfinished trials are interrupted.
    """
    standings = trial_standings(records, is_driven=is_driven)
    headings = ("rank", "trial", "state", *_NUMBERS[1:4], "hyperparameters", *_NUMBERS[4:])
    configs = {row.trial: params_of(row).settings_text for row in records.trials}
    table = html.table(headings, [_cells(each, configs[each.trial]) for each in standings], _NUMBERS)
    note = (
        "Estimates take the luck out of the accuracies; intervals are those of the estimates, or else of the "
        "accuracies on this number of clips. Trials whose intervals overlap are within noise."
    )
    ended = html.lines(unfinished_text(records))
    body = table if standings else html.paragraph("No trial has started yet.", style="note")
    return html.section("leaderboard", "Leaderboard", body, html.paragraph(note, style="note"), ended)


def _cells(each: TrialStanding, config: str) -> tuple[object, ...]:
    shares = ("" if share is None else percent(share) for share in (each.accuracy, each.estimate))
    return (
        each.rank or "",
        each.trial,
        each.state,
        *shares,
        "" if each.low is None or each.high is None else interval_text(each.low, each.high),
        config,
        "" if each.kept_pass is None else each.kept_pass,
        count_text(each.parameters),
        count_text(each.multiply_adds),
        "" if each.epochs_trained is None else f"{each.epochs_trained:,}",
        "" if each.epochs_reused is None else f"{each.epochs_reused:,}",
    )


def history_section(records: Records, provenance: Provenance) -> html.Html:
    """Return the values of the trials against epochs and hours."""
    points = history_points(records, datetime.fromisoformat(provenance.created_at))
    if not points:
        return _empty("history", "Optimisation history", _NO_TRIAL)
    by_class = any(row.objective == "mean-class" for row in records.trials)
    objective = "mean class accuracy" if by_class else "accuracy"
    caption = (
        f"Measured validation {objective} of each trial when it ended. The highest of many is mostly luck; "
        "the leaderboard ranks by estimates."
    )
    figure = html.figure("history", draw_history(points, objective=objective), _SVG, caption)
    return html.section("history", "Optimisation history", figure)


def parallel_section(records: Records) -> html.Html:
    """Return the trials over their hyperparameters."""
    rows = [row for row in records.trials if row.number is not None and row.state in {"COMPLETE", "PRUNED"}]
    values = [_value(records, row) for row in rows]
    if not any(value is not None for value in values):
        return _empty("parallel", "Parallel coordinates", _NO_TRIAL)
    caption = "Each line is a trial, coloured by its estimate, or else its accuracy; grey ones were stopped."
    picture = draw_parallel(_axes(rows), values)
    return html.section("parallel", "Parallel coordinates", html.figure("parallel", picture, _SVG, caption))


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


def importance_section(records: Records, plan: SweepPlan) -> html.Html:
    """Return the importances of the hyperparameters, or why there are none."""
    title = "Importances of hyperparameters"
    try:
        found = find_importances(records, plan)
    except InputError as error:
        return _empty("importances", title, f"{error}.")
    figure = html.figure("importances", draw_importances(found.shares), _SVG, found.note)
    return html.section("importances", title, figure)


def front_section(records: Records) -> html.Html:
    """Return the Pareto front of estimated accuracy and multiply-adds, as a chart and a table."""
    title = "Pareto front of accuracy and multiply-adds"
    networks = list(measured_networks(records))
    if not networks:
        return _empty("front", title, _NO_TRIAL)
    front = pareto_front(networks)
    on_front = {each.stage.key for each in front}
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
    caption = "Every pass of every trial: estimated validation accuracy and multiply-adds of one clip."
    headings = (
        "multiply-adds",
        "parameters",
        "estimate",
        "95% interval",
        "measured",
        "trial and pass",
        "config",
    )
    rows = [
        (
            f"{count_text(each.multiply_adds)}{' (over the bound)' if each.is_over_bound else ''}",
            count_text(each.parameters),
            percent(each.estimate),
            interval_text(each.low, each.high),
            percent(each.accuracy),
            each.name,
            each.config,
        )
        for each in front_rows(front, records)
    ]
    figure = html.figure("front", draw_front(points), _SVG, caption)
    winner = html.lines(winner_text(records, front))
    return html.section("front", title, winner, figure, html.table(headings, rows, headings[:5]))


def _empty(name: str, title: str, reason: str) -> html.Html:
    return html.section(name, title, html.paragraph(reason, style="note"))
