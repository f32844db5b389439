"""What a fusion gives: its members beside it, clips won and lost, and the classes that gain and lose most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autohier.core.fusion import Fused, num_unshared
from autohier.core.training.metrics import Predictions
from autohier.records.interval import paired_chance, wilson_interval
from autohier.records.schema import ReadingRow

_NUM_CLASSES = 5
"""Shown of those that gain, and of those that lose."""


def fusion_report(fused: Fused, names: Sequence[str], class_names: Sequence[str], *, title: str) -> Group:
    """What members score alone and together.

    Args:
        fused: what they take clips for; may be of one member alone.
        names: of the members.
        class_names: of the dataset.
        title: what was read of what.
    """
    head = Text(f"{title}: {accuracy_text(fused.together)}")
    if len(names) == 1:
        return Group(head)
    parts: list[RenderableType] = [head, Text(_comparison(fused, names))]
    if num_unshared(fused.members):
        parts.append(
            Text(f"{num_unshared(fused.members):,} clips are scored by those members that have them")
        )
    return Group(*parts, Text(), _members(fused, names), Text(), _classes(fused, class_names))


def accuracy_text(told: Predictions) -> str:
    """An accuracy with its interval and the mean over classes, in one sentence."""
    num_clips = len(told.clip_ids)
    low, high = wilson_interval(told.accuracy, num_clips)
    return (
        f"accuracy {told.accuracy:.1%} of {num_clips:,} clips, 95% interval {low:.1%} to {high:.1%}; "
        f"mean class accuracy {told.mean_class_accuracy:.1%}"
    )


def earlier_text(readings: Sequence[ReadingRow]) -> str:
    """That the test split was read before."""
    told = "; ".join(f"{row.accuracy:.1%} at {row.read_at:%Y-%m-%d %H:%M} UTC" for row in readings)
    return (
        f"the test split was read with this model before: {told}. "
        "What is chosen by such readings is fit to the test split."
    )


def _members(fused: Fused, names: Sequence[str]) -> Table:
    table = _table("member", "weight", "clips", "accuracy", "95% interval")
    for name, weight, told in zip(names, fused.weights, fused.members, strict=True):
        table.add_row(name, f"{weight:.3f}", *_score(told))
    table.add_row("all together", "", *_score(fused.together))
    return table


def _score(told: Predictions) -> tuple[str, str, str]:
    low, high = wilson_interval(told.accuracy, len(told.clip_ids))
    return f"{len(told.clip_ids):,}", f"{told.accuracy:.1%}", f"{100 * low:.1f}-{100 * high:.1f}"


def _comparison(fused: Fused, names: Sequence[str]) -> str:
    won, lost = fused.won_and_lost
    return (
        f"beside {names[fused.best]}, the best member on validation: {won:,} clips won, {lost:,} lost "
        f"(McNemar's exact p = {paired_chance(won, lost):.2g})"
    )


def _classes(fused: Fused, class_names: Sequence[str]) -> RenderableType:
    alone = fused.alone.class_accuracies
    gains = fused.together.of(fused.alone.clip_ids).class_accuracies - alone
    order = [int(k) for k in np.argsort(-gains, kind="stable") if gains[k] != 0 and np.isfinite(gains[k])]
    gaining = [k for k in order if gains[k] > 0]
    losing = [k for k in order if gains[k] < 0]
    if not order:
        return Text("no class gains or loses beside the best member")
    table = _table("class", "clips", "best member", "all together", "points")
    table.title = f"Classes that gain: {len(gaining)}, that lose: {len(losing)}; those that do most"
    table.title_justify = "left"
    for k in [*gaining[:_NUM_CLASSES], *losing[-_NUM_CLASSES:]]:
        accuracies = (f"{alone[k]:.1%}", f"{alone[k] + gains[k]:.1%}", f"{100 * gains[k]:+.1f}")
        table.add_row(class_names[k], f"{fused.alone.class_sizes[k]:,}", *accuracies)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    return table
