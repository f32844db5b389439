"""Sections of the page on trials: leaderboard, history, parallel coordinates, importances, Pareto front."""

from __future__ import annotations

from collections.abc import Mapping

from autohier.config.sweep import Provenance, SweepPlan
from autohier.errors import InputError
from autohier.records.reader import Records, params_of
from autohier.reports.figures.charts import draw_importances
from autohier.reports.figures.classes import kept_stage
from autohier.reports.figures.rendering import svg
from autohier.reports.figures.search import front_figure, history_figure, objective_name, parallel_figure
from autohier.reports.html import elements as html
from autohier.reports.sweeps.standings import TrialStanding, trial_standings
from autohier.reports.text import count_text, interval_text, percent
from autohier.reports.trials.front import front_rows, winner_text
from autohier.reports.trials.importances import find_importances
from autohier.reports.unfinished import unfinished_text
from autohier.sweep.choice.front import measured_networks, pareto_front

_SVG = "image/svg+xml"
_NUMBERS = (
    *("rank", "accuracy", "estimate", "95% interval", "parameters", "multiply-adds"),
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
    headings = ("rank", "trial", "state", *_NUMBERS[1:4], "hyperparameters", "kept pass", *_NUMBERS[4:])
    configs = {row.trial: params_of(row).settings_text for row in records.trials}
    kept = {row.trial: stage.label for row in records.trials if (stage := kept_stage(records, row))}
    cells = [_cells(each, configs[each.trial], _kept_text(each, kept)) for each in standings]
    table = html.table(headings, cells, _NUMBERS)
    note = (
        "Estimates take the luck out of the accuracies; intervals are those of the estimates, or else of the "
        "accuracies on this number of clips. Trials whose intervals overlap are within noise."
    )
    ended = html.lines(unfinished_text(records))
    body = table if standings else html.paragraph("No trial has started yet.", style="note")
    return html.section("leaderboard", "Leaderboard", body, html.paragraph(note, style="note"), ended)


def _kept_text(each: TrialStanding, labels: Mapping[str, str]) -> str:
    return "" if each.kept_pass is None else labels.get(each.trial, str(each.kept_pass))


def _cells(each: TrialStanding, config: str, kept: str) -> tuple[object, ...]:
    shares = ("" if share is None else percent(share) for share in (each.accuracy, each.estimate))
    return (
        each.rank or "",
        each.trial,
        each.state,
        *shares,
        "" if each.low is None or each.high is None else interval_text(each.low, each.high),
        config,
        kept,
        count_text(each.parameters),
        count_text(each.multiply_adds),
        "" if each.epochs_trained is None else f"{each.epochs_trained:,}",
        "" if each.epochs_reused is None else f"{each.epochs_reused:,}",
    )


def history_section(records: Records, provenance: Provenance) -> html.Html:
    """Return the values of the trials against epochs and hours."""
    picture = history_figure(records, provenance)
    if picture is None:
        return html.empty_section("history", "Optimisation history", _NO_TRIAL)
    caption = (
        f"Measured validation {objective_name(records)} of each trial when it ended. The highest of many is "
        "mostly luck; the leaderboard ranks by estimates."
    )
    figure = html.figure("history", svg(picture), _SVG, caption)
    return html.section("history", "Optimisation history", figure)


def parallel_section(records: Records) -> html.Html:
    """Return the trials over their hyperparameters."""
    picture = parallel_figure(records)
    if picture is None:
        return html.empty_section("parallel", "Parallel coordinates", _NO_TRIAL)
    caption = "Each line is a trial, coloured by its estimate, or else its accuracy; grey ones were stopped."
    return html.section(
        "parallel", "Parallel coordinates", html.figure("parallel", svg(picture), _SVG, caption)
    )


def importance_section(records: Records, plan: SweepPlan) -> html.Html:
    """Return the importances of the hyperparameters, or why there are none."""
    title = "Importances of hyperparameters"
    try:
        found = find_importances(records, plan)
    except InputError as error:
        return html.empty_section("importances", title, f"{error}.")
    figure = html.figure("importances", svg(draw_importances(found.shares)), _SVG, found.note)
    return html.section("importances", title, figure)


def front_section(records: Records) -> html.Html:
    """Return the Pareto front of estimated accuracy and multiply-adds, as a chart and a table."""
    title = "Pareto front of accuracy and multiply-adds"
    picture = front_figure(records)
    if picture is None:
        return html.empty_section("front", title, _NO_TRIAL)
    front = pareto_front(list(measured_networks(records)))
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
    figure = html.figure("front", svg(picture), _SVG, caption)
    winner = html.lines(winner_text(records, front))
    return html.section("front", title, winner, figure, html.table(headings, rows, headings[:5]))
