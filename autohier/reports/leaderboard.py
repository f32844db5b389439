"""What a sweep found: its trials best first, the best setting, and what each step of the method gave.

Everything here is a pure function of the records. Two accuracies that the number of clips cannot tell
apart are said to be within noise; see records.interval for the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from autohier.records.interval import wilson_interval, within_noise
from autohier.records.reader import Records, choice_of
from autohier.records.schema import TrialRow
from autohier.settings.overrides import value_text

NOTHING_YET = "no trial is complete yet"

VALIDATION = {
    "clean": "clean validation (held-out training subjects)",
    "folds": "folds (every training subject is held out in turn)",
    "paper": "paper validation (a tenth of the test split: it leaks into the choice)",
}
"""What a kind of validation means, as every report says it."""
_STATES = {
    "RUNNING": "running",
    "COMPLETE": "complete",
    "PRUNED": "stopped",
    "FAIL": "failed",
    "TAKEN BACK": "taken back",
}
_COLUMNS = (
    "rank", "trial", "state", "accuracy", "95%\ninterval", "super-\nclasses", "weight\nratio", "scope",
    "ratio", "kept\npass", "param-\neters", "mult-\nadds", "epochs", "epochs\nfound",
)  # fmt: skip
_TEXT_COLUMNS = {"trial", "state", "variant", "super-\nclasses", "scope"}
_RECIPE_PLACE = _COLUMNS.index("super-\nclasses")
"""Where variant and training settings stand, in sweeps that draw them."""


def report(records: Records, *, limit: int | None = None) -> Group:
    """The leaderboard and, below it, the best setting, its three steps and its test readings."""
    return Group(
        leaderboard(records, limit=limit),
        Text(),
        Text(best_setting(records)),
        Text(three_steps(records)),
        Text(reading_text(records)),
    )


def leaderboard(records: Records, *, limit: int | None = None) -> Table:
    """Trials of the study: complete ones best first, then those still running, stopped or failed.

    Args:
        records: of one sweep.
        limit: rows to show at most; None shows all.
    """
    ranked = records.ranked()
    others = [row for row in records.trials if row.state != "COMPLETE" and row.number is not None]
    table = Table(title=_title(records), caption=_caption(ranked, len(others), limit), box=SIMPLE_HEAD)
    table.title_justify = table.caption_justify = "left"
    table.show_edge, table.pad_edge, table.padding = False, False, (0, 1, 0, 0)
    rows: list[tuple[str, ...]] = []
    recipe = _recipe_columns([*ranked, *others])
    columns = (*_COLUMNS[:_RECIPE_PLACE], *map(_heading, recipe), *_COLUMNS[_RECIPE_PLACE:])
    for column in columns:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    several = any(len(records.seeds_of(row)) > 1 for row in ranked)
    if several:
        table.add_column("mean of\nits seeds", justify="right")
    for place, row in enumerate(ranked, start=1):
        means = [_mean_text(records.seeds_of(row))] if several else []
        rows.append((*_cells(row, _rank(row, place, ranked[0]), recipe), *means))
    rows += [_cells(row, "", recipe) for row in others]
    for cells in rows[:limit]:
        table.add_row(*cells)
    return table


def best_setting(records: Records) -> str:
    """The best trial's drawn values, in one sentence."""
    ranked = records.ranked()
    if not ranked:
        return NOTHING_YET
    best = ranked[0]
    recipe = choice_of(best).recipe_text
    return (
        f"best setting: {best.trial} ({best.source}): {f'{recipe}, ' if recipe else ''}"
        f"superclasses {best.superclasses}, weight ratio {best.weight_ratio:.4g} "
        f"(stack weights {best.stack_weights}), scope {best.scope}, ratio {best.ratio:.4g}, "
        f"kept pass {best.kept_pass} of at most {best.passes}, seed {best.seed}"
    )


def three_steps(records: Records) -> str:
    """What the hierarchy and the pruning of the best trial gave over pass 1, and what pruning took away."""
    ranked = records.ranked()
    if not ranked:
        return NOTHING_YET
    best = ranked[0]
    pass_1, pass_2, kept = best.pass_1_accuracy or 0.0, best.pass_2_accuracy or 0.0, best.accuracy or 0.0
    num_clips = best.num_validation_clips or 0
    steps = f"validation: pass 1 {_percent(pass_1)} -> pass 2 {_percent(pass_2)} "
    steps += f"({_difference(pass_1, pass_2, num_clips)}) -> "
    if best.kept_pass:
        steps += f"pruned ({_plural(best.kept_pass, 'pass', 'passes')}) {_percent(kept)} "
        steps += f"({_difference(pass_2, kept, num_clips)})"
    else:
        steps += "not pruned, as no pruning pass was better"
    return (
        f"{steps}; parameters {_count(best.dense_parameters)} -> {_count(best.parameters)}, "
        f"multiply-adds {_count(best.dense_multiply_adds)} -> {_count(best.multiply_adds)}"
    )


def reading_text(records: Records) -> str:
    """What the test split said, every reading; a line for each."""
    if not records.tests:
        return "test split: not read yet"
    return "\n".join(
        f"test split ({reading.protocol}): {reading.trial} {reading.stage} {_percent(reading.accuracy)}, "
        f"95% interval {_percent(reading.low)} to {_percent(reading.high)}, {reading.num_clips} clips, "
        f"{reading.read_at:%Y-%m-%d %H:%M} UTC"
        for reading in records.tests
    )


def _title(records: Records) -> str:
    if not records.trials:
        return "No trials yet"
    datasets = _distinct([row.dataset for row in records.trials])
    protocols = _distinct([row.protocol for row in records.trials])
    validations = _distinct([VALIDATION.get(row.validation, row.validation) for row in records.trials])
    return f"Validation accuracy on {datasets}, protocol {protocols}, {validations}"


def _caption(ranked: Sequence[TrialRow], num_others: int, limit: int | None) -> str:
    total = len(ranked) + num_others
    notes = [f"{limit} of {total} trials are shown."] if limit is not None and limit < total else []
    noisy = sum(_is_noise(row, ranked[0]) for row in ranked[1:])
    if noisy:
        notes.append(f"≈ {_plural(noisy, 'trial is', 'trials are')} within noise of the best.")
    if len(ranked) > 1:
        notes.append("The best of several is an optimistic estimate; the test split tells the rest.")
    return " ".join(notes)


def _rank(row: TrialRow, place: int, best: TrialRow) -> str:
    return f"≈ {place}" if place > 1 and _is_noise(row, best) else str(place)


def _is_noise(row: TrialRow, best: TrialRow) -> bool:
    return within_noise(row.accuracy or 0.0, best.accuracy or 0.0, best.num_validation_clips or 0)


def _recipe_columns(rows: Sequence[TrialRow]) -> tuple[str, ...]:
    """What these trials drew beside HAC's own choices, by name."""
    names = {name: None for row in rows for name, _ in choice_of(row).settings}
    return (*(["variant"] if any(row.variant for row in rows) else []), *names)


def _heading(name: str) -> str:
    return name.replace(".", "\n").replace("_", "\n")


def _cells(row: TrialRow, rank: str, recipe: Sequence[str]) -> tuple[str, ...]:
    accuracy, interval = "", ""
    if row.accuracy is not None:
        low, high = wilson_interval(row.accuracy, row.num_validation_clips or 0)
        accuracy, interval = _percent(row.accuracy), f"{100 * low:.1f}-{100 * high:.1f}"
    drawn = {"variant": row.variant, **dict(choice_of(row).settings)}
    return (
        rank,
        row.trial,
        _STATES[row.state],
        accuracy,
        interval,
        *(value_text(drawn.get(name, "")) for name in recipe),
        row.superclasses,
        f"{row.weight_ratio:.4g}",
        row.scope,
        f"{row.ratio:.4g}",
        f"{'?' if row.kept_pass is None else row.kept_pass} of {row.passes}",
        _count(row.parameters),
        _count(row.multiply_adds),
        _count(row.epochs_computed),
        _count(row.epochs_spared),
    )


def _mean_text(accuracies: Sequence[float]) -> str:
    return f"{_percent(mean(accuracies))} of {len(accuracies)}" if len(accuracies) > 1 else ""


def _difference(before: float, after: float, num_clips: int) -> str:
    noise = ", within noise" if within_noise(before, after, num_clips) else ""
    return f"{100 * (after - before):+.1f} points{noise}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _count(number: int | None) -> str:
    if number is None:
        return ""
    for size, unit in ((1_000_000_000, " G"), (1_000_000, " M"), (1_000, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def _plural(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _distinct(words: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))
