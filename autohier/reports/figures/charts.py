"""Charts of a sweep: history, parallel coordinates, importances and Pareto front.

All accuracies are those of validation clips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_IN, _HEIGHT_IN = 9.0, 3.6
_BLUE, _GREY, _ORANGE = "#2171b5", "#999999", "#d94801"
_MAX_LABELS = 12
_MAX_TICKS = 5


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A trial that has ended, in the order of the ends."""

    epochs: int
    """Epochs that the sweep had trained when the trial ended."""
    hours: float
    """Hours since the start of the sweep."""
    value: float
    """Validation accuracy of its kept pass, or of its last epoch if it was stopped."""
    is_complete: bool


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A measured network."""

    multiply_adds: int
    estimate: float
    low: float
    high: float
    is_on_front: bool
    is_best: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of the parallel coordinates: the values of one hyperparameter."""

    name: str
    values: tuple[str | float, ...]
    """One for each trial."""


def draw_history(points: Sequence[HistoryPoint], *, objective: str) -> Figure:
    """Return the values of the trials and the best so far, against epochs and hours."""
    figure = Figure((_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    is_short = max(point.hours for point in points) < 1
    scale, unit = (60, "minutes") if is_short else (1, "hours")
    for axes, xs, label in (
        (left, [point.epochs for point in points], "epochs trained by the sweep"),
        (right, [point.hours * scale for point in points], f"{unit} since the start"),
    ):
        _draw_history(axes, xs, points)
        axes.set_xlabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(_MAX_TICKS))
    left.set_ylabel(f"validation {objective}, %")
    _add_legend(figure, right)
    return figure


def _add_legend(figure: Figure, axes: Axes) -> None:
    # Above the axes, where it covers no point.
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize="small")


def _draw_history(axes: Axes, xs: Sequence[float], points: Sequence[HistoryPoint]) -> None:
    pairs = list(zip(xs, points, strict=True))
    complete = [(x, 100 * point.value) for x, point in pairs if point.is_complete]
    stopped = [(x, 100 * point.value) for x, point in pairs if not point.is_complete]
    if complete:
        xs_ys = ([x for x, _ in complete], [y for _, y in complete])
        axes.scatter(*xs_ys, s=18, color=_BLUE, label="complete", zorder=3)
        best = [max(value for _, value in complete[: index + 1]) for index in range(len(complete))]
        axes.step(
            [x for x, _ in complete], best, where="post", color=_ORANGE, label="highest measured so far"
        )
    if stopped:
        xs_ys = ([x for x, _ in stopped], [y for _, y in stopped])
        axes.scatter(*xs_ys, s=18, color=_GREY, marker="x", label="stopped, last epoch")
    axes.grid(visible=True, alpha=0.3)


def draw_parallel(axes_of: Sequence[Axis], values: Sequence[float | None]) -> Figure:
    """Return the trials as lines over their hyperparameters, coloured by their values.

    Args:
        axes_of: hyperparameters.
        values: estimated or measured accuracy of each trial; None for a trial that is not complete.
    """
    figure = Figure((_WIDTH_IN, _HEIGHT_IN + 0.6), layout="constrained")
    axes = figure.subplots()
    known = [100 * value for value in values if value is not None]
    scale = Normalize(min(known, default=0.0), max(known, default=1.0))
    colours = colormaps["viridis"]
    columns = [_places(axis.values) for axis in axes_of]
    for trial, value in sorted(enumerate(values), key=lambda each: -1.0 if each[1] is None else each[1]):
        heights = [places[trial] for places, _ in columns]
        colour = _GREY if value is None else colours(scale(100 * value))
        is_known = value is not None
        axes.plot(
            range(len(columns)),
            heights,
            color=colour,
            linewidth=1.6 if is_known else 0.8,
            alpha=0.9 if is_known else 0.4,
        )
    for place, (_, labels) in enumerate(columns):
        axes.axvline(place, color="black", linewidth=0.6)
        for label, height in labels.items():
            axes.text(place + 0.03, height, label, fontsize=7, parse_math=False, va="center")
    axes.set_xlim(-0.1, len(columns) - 0.5)
    names = [axis.name for axis in axes_of]
    axes.set_xticks(range(len(columns)), names, fontsize=8, parse_math=False)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    figure.colorbar(ScalarMappable(scale, colours), ax=axes, label="value of the trial, %", fraction=0.03)
    return figure


def _places(values: Sequence[str | float]) -> tuple[list[float], dict[str, float]]:
    """Return the height of each value on its axis, and the heights of labels."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values):
        order = {value: place for place, value in enumerate(sorted(set(map(str, values))))}
        top = max(1, len(order) - 1)
        return [order[str(value)] / top for value in values], {name: at / top for name, at in order.items()}
    # Ratios and counts are compared by their ratio, if none is 0.
    heights = (
        [math.log(value) for value in numbers] if min(numbers) > 0 else [float(each) for each in numbers]
    )
    low, span = min(heights), (max(heights) - min(heights)) or 1.0
    shown = {f"{value:.3g}": (height - low) / span for value, height in zip(numbers, heights, strict=True)}
    names = sorted(shown, key=lambda name: shown[name])
    step = max(1, math.ceil(len(names) / _MAX_LABELS))
    return [(height - low) / span for height in heights], {name: shown[name] for name in names[::step]}


def draw_importances(shares: Mapping[str, float]) -> Figure:
    """Return the importance of each hyperparameter as a bar."""
    figure = Figure((_WIDTH_IN, 0.6 + 0.3 * len(shares)), layout="constrained")
    axes = figure.subplots()
    names = list(shares)[::-1]
    axes.barh(range(len(names)), [100 * shares[name] for name in names], color=_BLUE)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlabel("importance, %")
    return figure


def draw_front(points: Sequence[FrontPoint]) -> Figure:
    """Return all measured networks by multiply-adds and estimate, and the front that no other beats."""
    figure = Figure((_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    others = [point for point in points if not point.is_on_front]
    axes.scatter(
        [point.multiply_adds / 1e6 for point in others],
        [100 * point.estimate for point in others],
        color=_GREY, s=14, label="other passes",
    )  # fmt: skip
    front = sorted((point for point in points if point.is_on_front), key=lambda point: point.multiply_adds)
    axes.errorbar(
        [point.multiply_adds / 1e6 for point in front],
        [100 * point.estimate for point in front],
        yerr=[
            [100 * (point.estimate - point.low) for point in front],
            [100 * (point.high - point.estimate) for point in front],
        ],
        color=_BLUE, marker="o", linewidth=1, elinewidth=0.6, label="front, 95% interval",
    )  # fmt: skip
    for point in points:
        if point.is_best:
            x, y = point.multiply_adds / 1e6, 100 * point.estimate
            axes.scatter([x], [y], facecolors="none", edgecolors=_ORANGE, s=120, label="best trial", zorder=4)
    axes.set_xlabel("million multiply-adds of one clip")
    axes.set_ylabel("estimated validation accuracy, %")
    axes.grid(visible=True, alpha=0.3)
    _add_legend(figure, axes)
    return figure
