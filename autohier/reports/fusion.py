"""Report of a fusion: accuracies of its members, comparison with the best one, classes that change most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autohier.core.late_fusion import Fused, num_unshared
from autohier.core.training.metrics import Predictions
from autohier.records.statistics import mcnemar_p_value, wilson_interval
from autohier.reports.evaluations.levels import pathways_text, predicted_levels_text
from autohier.reports.text import interval_text, plain_table
from autohier.text import plural

_NUM_CLASSES = 5
"""Maximum number of classes shown that improve, and of classes that degrade."""
_POOLED = (
    "share of the correct clips of all folds together; 'autohier status' shows the mean of the folds' "
    "accuracies, which differs if the folds differ in size"
)
"""Note on the accuracy of a cross-validated model."""


def fusion_report(
    fused: Fused, names: Sequence[str], class_names: Sequence[str], *, title: str, pools_folds: bool = False
) -> Group:
    """Return the accuracies of a fusion and of its members.

    Args:
        fused: predictions of the members and of the fusion; a single member gives a short report.
        names: names of the members.
        class_names: names of the dataset's classes.
        title: the evaluated model and split.
        pools_folds: whether the clips are those of all folds of a cross-validation.
    """
    head = Text(f"{title}: {accuracy_text(fused.predictions)}")
    notes = [Text(_POOLED)] if pools_folds else []
    if len(names) == 1:
        (only,) = fused.members
        texts = {"by level": predicted_levels_text(only), "by pathway": pathways_text(only)}
        return Group(head, *(Text(f"{name}: {text}") for name, text in texts.items() if text), *notes)
    parts: list[RenderableType] = [head, *notes, Text(_comparison(fused, names))]
    if num_unshared(fused.members):
        parts.append(
            Text(
                f"{plural(num_unshared(fused.members), 'clip is', 'clips are')} predicted only by the "
                "members that have them"
            )
        )
    return Group(*parts, Text(), _members(fused, names), Text(), _classes(fused, class_names))


def accuracy_text(predictions: Predictions) -> str:
    """Return an accuracy with its confidence interval, and the top-5 and mean class accuracies."""
    num_clips = len(predictions.clip_ids)
    low, high = wilson_interval(predictions.accuracy, num_clips)
    return (
        f"accuracy {predictions.accuracy:.1%} of {plural(num_clips, 'clip')}, "
        f"95% interval {low:.1%} to {high:.1%}; top-5 {predictions.top5_accuracy:.1%}; "
        f"mean class accuracy {predictions.mean_class_accuracy:.1%}"
    )


def _members(fused: Fused, names: Sequence[str]) -> Table:
    table = _table("member", "weight", "clips", "accuracy", "95% interval")
    for name, weight, predictions in zip(names, fused.weights, fused.members, strict=True):
        table.add_row(name, f"{weight:.3f}", *_scores(predictions))
    table.add_row("fusion", "", *_scores(fused.predictions))
    return table


def _scores(predictions: Predictions) -> tuple[str, str, str]:
    num_clips = len(predictions.clip_ids)
    interval = interval_text(*wilson_interval(predictions.accuracy, num_clips))
    return f"{num_clips:,}", f"{predictions.accuracy:.1%}", interval


def _comparison(fused: Fused, names: Sequence[str]) -> str:
    num_correct, num_wrong = fused.newly_correct_and_wrong
    p_value = mcnemar_p_value(num_correct, num_wrong)
    return (
        f"compared with {names[fused.best]}, the best member on validation: "
        f"{plural(num_correct, 'clip')} newly correct, {num_wrong:,} newly wrong "
        f"(McNemar's exact test, p = {p_value:.2g})"
    )


def _classes(fused: Fused, class_names: Sequence[str]) -> RenderableType:
    best = fused.best_predictions
    before = best.class_accuracies
    gains = fused.predictions.of(best.clip_ids).class_accuracies - before
    order = [int(k) for k in np.argsort(-gains, kind="stable") if gains[k] != 0 and np.isfinite(gains[k])]
    better = [k for k in order if gains[k] > 0]
    worse = [k for k in order if gains[k] < 0]
    if not order:
        return Text("every class has the accuracy of the best member")
    table = _table("class", "clips", "best member", "fusion", "difference")
    table.title = f"Class accuracies: {len(better)} improve, {len(worse)} degrade; the largest differences"
    for k in [*better[:_NUM_CLASSES], *worse[-_NUM_CLASSES:]]:
        accuracies = (f"{before[k]:.1%}", f"{before[k] + gains[k]:.1%}", f"{100 * gains[k]:+.1f} points")
        table.add_row(class_names[k], f"{best.class_sizes[k]:,}", *accuracies)
    return table


def _table(*columns: str) -> Table:
    table = plain_table()
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    return table
