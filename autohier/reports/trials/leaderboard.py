"""Leaderboard of a sweep: its trials, best first."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from rich.table import Table

from autohier.config.trial.overrides import value_text
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.records.statistics import wilson_interval, within_noise
from autohier.reports.text import count_text, interval_text, percent, plain_table
from autohier.text import plural

VALIDATION = {
    "clean": "clean validation (held-out training subjects)",
    "listed": "validation on the source's own list",
    "folds": "cross-validation (mean accuracy of the folds; every training subject is held out in turn)",
    "paper": "paper validation (a tenth of the test split, which biases test results)",
}
"""Description of each kind of validation, for all reports."""
_STATES = {
    "RUNNING": "running",
    "COMPLETE": "complete",
    "PRUNED": "stopped",
    "FAIL": "failed",
    "REQUEUED": "requeued",
}
_COLUMNS = (
    "rank", "trial", "state", "accuracy", "95%\ninterval", "super-\nclasses", "weight\nratio",
    "pruning\nscope", "pruning\nratio", "kept\npass", "param-\neters", "mult-\nadds",
    "epochs\ntrained", "epochs\nreused",
)  # fmt: skip
_TEXT_COLUMNS = {"trial", "state", "variant", "super-\nclasses", "pruning\nscope"}
_SURE = 0.975
"""Probability from which on a trial counts as worse than the best, as for a two-sided 95% interval."""
_ACCURACY_AT = _COLUMNS.index("accuracy")
_SEARCHED_AT = _COLUMNS.index("super-\nclasses")
"""Position of the variant and of hyperparameters in search.settings."""


def leaderboard(records: Records, *, limit: int | None = None, is_driven: bool = True) -> Table:
    """Return a table of a study's trials: complete ones best first, then running, stopped and failed ones.

    With estimates, the interval is that of the estimate, else that of the measured accuracy.

    Args:
        records: records of one sweep.
        limit: maximum number of rows; None shows all.
        is_driven: whether the sweep has a driver; without one its unfinished trials do not run.
    """
    ranked = records.ranked()
    others = [*records.over_bound()]
    others += [row for row in records.trials if row.state != "COMPLETE" and row.number is not None]
    table = plain_table(_title(records), _caption(records, ranked, len(others), limit))
    rows: list[tuple[str, ...]] = []
    searched = _searched_names([*ranked, *others])
    by_class = any(row.objective == "mean-class" for row in records.trials)
    names = (*_COLUMNS[:_SEARCHED_AT], *map(_heading, searched), *_COLUMNS[_SEARCHED_AT:])
    by_class_name = ["mean\nclass"] if by_class else []
    measured, rest = [*by_class_name, names[_ACCURACY_AT]], names[_ACCURACY_AT + 1 :]
    columns = (*names[:_ACCURACY_AT], *measured, *(["estimate"] if records.estimates else []), *rest)
    for column in columns:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    has_seeds = any(len(records.seeds_of(row)) > 1 for row in ranked)
    if has_seeds:
        table.add_column("mean of\nits seeds", justify="right")
    for place, row in enumerate(ranked, start=1):
        means = [_mean_text(records.seeds_of(row))] if has_seeds else []
        rank = _rank(records, row, place, ranked[0])
        rows.append((*_cells(records, row, rank, searched, by_class=by_class), *means))
    rows += [_cells(records, row, "", searched, by_class=by_class, is_driven=is_driven) for row in others]
    for cells in rows[:limit]:
        table.add_row(*cells)
    return table


def _title(records: Records) -> str:
    if not records.trials:
        return "No trials yet"
    datasets = _distinct([row.dataset for row in records.trials])
    protocols = _distinct([row.protocol for row in records.trials])
    validations = _distinct([VALIDATION.get(row.validation, row.validation) for row in records.trials])
    by_class = any(row.objective == "mean-class" for row in records.trials)
    ranking = ", ranked by mean class accuracy" if by_class else ""
    return f"Validation accuracy on {datasets}, protocol {protocols}, {validations}{ranking}"


def _caption(records: Records, ranked: Sequence[TrialRow], num_others: int, limit: int | None) -> str:
    total = len(ranked) + num_others
    notes = [f"{limit} of {total} trials shown."] if limit is not None and limit < total else []
    if over := records.over_bound():
        bound = count_text(records.max_multiply_adds)
        notes.append(f"{plural(len(over), 'trial exceeds', 'trials exceed')} {bound} multiply-adds.")
    num_similar = sum(_is_noise(records, row, ranked[0]) for row in ranked[1:])
    if num_similar:
        notes.append(f"≈ {plural(num_similar, 'trial is', 'trials are')} within noise of the best.")
    if records.estimates and len(ranked) > 1:
        notes.append(_certainty(records, ranked))
    elif len(ranked) > 1:
        notes.append("The best validation accuracy of several is optimistic; see the test results.")
    return " ".join(notes)


def _certainty(records: Records, ranked: Sequence[TrialRow]) -> str:
    """Return how sure the order is."""
    first, second = ranked[0], ranked[1]
    if records.confirmed:
        return f"{first.trial} won the confirmation; the others are ranked by estimates."
    if records.preferred:
        estimates = {row.trial: records.estimates[row.trial].value for row in ranked}
        top = max(ranked, key=lambda row: estimates[row.trial])
        if top is not first:
            return (
                f"{first.trial}, the first initial config, leads: {top.trial} has the highest estimate, but "
                f"is better with only {records.estimates[first.trial].beaten:.0%}."
            )
    best = records.estimates[first.trial].best_probability
    beaten = records.estimates[second.trial].beaten
    return (
        f"Ranked by estimates, which take the luck out of the accuracies: {first.trial} is the best with "
        f"probability {best:.0%}, and better than {second.trial} with {beaten:.0%}."
    )


def _rank(records: Records, row: TrialRow, place: int, best: TrialRow) -> str:
    return f"≈ {place}" if place > 1 and _is_noise(records, row, best) else str(place)


def _is_noise(records: Records, row: TrialRow, best: TrialRow) -> bool:
    if estimate := records.estimates.get(row.trial):
        return estimate.beaten < _SURE
    num_clips = best.num_validation_clips
    if row.accuracy is None or best.accuracy is None or num_clips is None:
        return False  # not known, as the trial's records are lost
    return within_noise(row.accuracy, best.accuracy, num_clips)


def _searched_names(rows: Sequence[TrialRow]) -> tuple[str, ...]:
    """Return the names of hyperparameters other than HAC's own: the variant and those in search.settings."""
    names = {name: None for row in rows for name, _ in params_of(row).settings}
    return (*(["variant"] if any(row.variant for row in rows) else []), *names)


def _heading(name: str) -> str:
    return name.replace(".", "\n").replace("_", "\n")


def _cells(
    records: Records,
    row: TrialRow,
    rank: str,
    searched: Sequence[str],
    *,
    by_class: bool,
    is_driven: bool = True,
) -> tuple[str, ...]:
    accuracy, interval = "", ""
    estimate = records.estimates.get(row.trial)
    if row.accuracy is not None:
        accuracy = percent(row.accuracy)
        if row.num_validation_clips is not None:
            interval = interval_text(*wilson_interval(row.accuracy, row.num_validation_clips))
    if estimate:
        interval = interval_text(estimate.low, estimate.high)
    sampled = {"variant": row.variant, **dict(params_of(row).settings)}
    return (
        rank,
        row.trial,
        _STATES[row.state] if is_driven or row.state != "RUNNING" else "interrupted",
        *([_percent_or_nothing(row.mean_class_accuracy)] if by_class else []),
        accuracy,
        *([percent(estimate.value) if estimate else ""] if records.estimates else []),
        interval,
        *(value_text(sampled.get(name, "")) for name in searched),
        row.superclasses,
        f"{row.weight_ratio:.4g}",
        row.scope,
        f"{row.ratio:.4g}",
        f"{'?' if row.kept_pass is None else row.kept_pass} of {row.passes}",
        count_text(row.parameters),
        count_text(row.multiply_adds),
        count_text(row.epochs_computed),
        count_text(row.epochs_reused),
    )


def _percent_or_nothing(share: float | None) -> str:
    return "" if share is None else percent(share)


def _mean_text(accuracies: Sequence[float]) -> str:
    return f"{percent(mean(accuracies))} of {len(accuracies)}" if len(accuracies) > 1 else ""


def _distinct(words: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))
