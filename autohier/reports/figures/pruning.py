"""Figure of an ablation: accuracy after each pruning pass, by scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autohier.reports.trials.ablation import AblationRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_IN: Final = (7.0, 3.0)
_MAX_COLUMNS: Final = 3
_COLOURS: Final = {
    "layerwise pruning": "#2171b5",
    "global pruning": "#d94801",
    "retraining, nothing pruned": "#777777",
}
_MARKERS: Final = {"layerwise pruning": "o", "global pruning": "s", "retraining, nothing pruned": "^"}


def draw_pruning(rows: Sequence[AblationRow]) -> Figure:
    """Return accuracy with its 95% interval over pruning passes, and over the cost that is left.

    A line begins with the hierarchy of the best trial if it is of this trial.

    Args:
        rows: baseline, hierarchy and the passes of each scope, as `ablation` returns them.
    """
    baseline = next(row for row in rows if row.group == "baseline")
    hierarchy = next(row for row in rows if row.group == "hierarchy")
    figure = Figure(_SIZE_IN, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        level = 100 * baseline.accuracy
        axes.axhline(level, color="0.5", linewidth=0.8, linestyle="--", label="flat baseline (pass 1)")
        axes.grid(visible=True, alpha=0.3)
        axes.tick_params(labelsize="small")
    groups = dict.fromkeys(row.group for row in rows if row.passes)
    for place, group in enumerate(groups):
        passes = [row for row in rows if row.group == group]
        is_own = passes[0].trial == hierarchy.trial
        own = [hierarchy, *passes] if is_own else passes
        label = group if is_own else f"{group}, {passes[0].trial}"
        shift = 0.06 * (place - (len(groups) - 1) / 2)
        _draw_line(left, [row.passes + shift for row in own], own, label)
        _draw_line(right, [100 * row.multiply_adds / hierarchy.multiply_adds for row in own], own, label)
    if not groups:
        _draw_line(left, [0.0], [hierarchy], "hierarchy")
        _draw_line(right, [100.0], [hierarchy], "hierarchy")
    split = "test" if hierarchy.split == "test" else "validation"
    left.set_ylabel(f"{split} accuracy, %", size="small")
    left.set_xlabel("pruning passes (0: the hierarchy, unpruned)", size="small")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel("multiply-adds left, % of the unpruned network", size="small")
    right.invert_xaxis()
    handles, labels = left.get_legend_handles_labels()
    num_columns = min(_MAX_COLUMNS, len(labels))
    figure.legend(handles, labels, loc="outside upper center", ncols=num_columns, fontsize="small")
    return figure


def _draw_line(axes: Axes, xs: Sequence[float], rows: Sequence[AblationRow], label: str) -> None:
    group = rows[-1].group
    colour = _COLOURS.get(group, "black")
    accuracies = [100 * row.accuracy for row in rows]
    below = [100 * (row.accuracy - (row.accuracy if row.low is None else row.low)) for row in rows]
    above = [100 * ((row.accuracy if row.high is None else row.high) - row.accuracy) for row in rows]
    axes.errorbar(
        xs,
        accuracies,
        yerr=[below, above],
        color=colour,
        marker=_MARKERS.get(group, "o"),
        markersize=4,
        linewidth=1,
        elinewidth=0.6,
        label=label,
    )
    kept = [place for place, row in enumerate(rows) if row.is_kept]
    axes.scatter(
        [xs[place] for place in kept],
        [accuracies[place] for place in kept],
        facecolors="none",
        edgecolors="black",
        linewidths=0.8,
        s=90,
        zorder=4,
        label="kept pass" if kept else None,
    )
