"""Figure of the robustness of models: a panel per corruption, accuracy against its strength."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

from autohier.errors import InputError
from autohier.reports.evaluations.robustness import RobustnessRow
from autohier.text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: Final = ("png", "svg", "pdf")
_PANEL_IN, _HEIGHT_IN, _COLUMNS = 3.2, 2.9, 3
_DOTS_PER_INCH = 150
_AXES: Final = {
    "joint drop": ("0", "probability that a frame loses a joint"),
    "joint noise": ("0", "deviation, share of the person's size"),
    "frame rate": ("1", "share of the frames that stay"),
    "occlusion": ("0", "covered share of the frame"),
    "poses": ("own", "source of the poses"),
}
"""By corruption: level of clips as they are, and label of the axis."""


def figure_format(path: Path) -> str:
    """Return the format of a figure by the ending of its file.

    Raises:
        InputError: if the format is unknown.
    """
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise InputError(
            f"--figure must end in .{', .'.join(FORMATS)}", got=path, hint="write e.g. robustness.png"
        )
    return ending


def draw_robustness(rows: Sequence[RobustnessRow], file_format: str) -> bytes:
    """Return the figure: a line per model, with the 95% interval of every accuracy.

    Args:
        rows: rows of all models, each with its row of clips as they are.
        file_format: "png", "svg" or "pdf".
    """
    corruptions = [each for each in _AXES if any(row.corruption == each for row in rows)]
    models = list(dict.fromkeys(row.model for row in rows))
    num_columns = min(_COLUMNS, max(1, len(corruptions)))
    num_lines = -(-max(1, len(corruptions)) // num_columns)
    size_in = (_PANEL_IN * num_columns, _HEIGHT_IN * num_lines + 0.4)
    figure = Figure(size_in, _DOTS_PER_INCH, layout="constrained")
    panels = list(figure.subplots(num_lines, num_columns, sharey=True, squeeze=False).flat)
    for axes, corruption in zip(panels, corruptions, strict=False):
        _draw_panel(axes, rows, corruption, models)
    for axes in panels[len(corruptions) :]:
        axes.set_axis_off()
    for axes in panels[::num_columns]:
        axes.set_ylabel("accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        num_columns = min(4, len(labels))
        figure.legend(handles, labels, loc="outside upper center", ncols=num_columns, fontsize="small")
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "autohier"}):  # equal figures are equal bytes
        metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(buffer, format=file_format, metadata=metadata[file_format])
    return buffer.getvalue()


def _draw_panel(axes: Axes, rows: Sequence[RobustnessRow], corruption: str, models: Sequence[str]) -> None:
    clean_level, label = _AXES[corruption]
    own = [row for row in rows if row.corruption == corruption]
    levels = [clean_level, *dict.fromkeys(row.level for row in own)]
    colors = colormaps["tab10"]
    for index, model in enumerate(models):
        clean = next(row for row in rows if row.model == model and row.corruption == "none")
        line = [clean, *(row for row in own if row.model == model)]
        if len(line) == 1:
            continue  # the model reads nothing of what this corruption changes
        places = [0, *(levels.index(row.level) for row in line[1:])]
        low, high = ([100 * getattr(row, f"accuracy_{end}") for row in line] for end in ("low", "high"))
        accuracies = [100 * row.accuracy for row in line]
        is_connected = corruption != "poses"
        color, style = colors(index % 10), "-" if is_connected else ""
        axes.plot(
            places, accuracies, marker="o", markersize=4, linestyle=style, color=color, label=shown(model)
        )
        if is_connected:
            axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
        else:
            axes.vlines(places, low, high, color=color, alpha=0.5)
    axes.set_title(corruption, fontsize="medium")
    axes.set_xticks(range(len(levels)), [shown(level) for level in levels], fontsize="small")
    axes.set_xlabel(label, fontsize="small")
    axes.set_ylim(0, 100)
    axes.grid(axis="y", alpha=0.3)
