"""Figure of gradient maps: a row for each pathway or input, a column for each head, as HAC's figure 5.

Maps over time and pixels are drawn as the mean over time. Each is drawn relative to its largest value.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autohier.core.gradient_maps import GradientMaps
from autohier.core.training.gradients import HeadGradients
from autohier.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_IN: Final = 2.2
_JOINT_IN: Final = 0.11
_COLOURS: Final = "viridis"


def draw_gradients(maps: GradientMaps) -> Figure:
    """Return the maps of all heads."""
    rows = list(dict.fromkeys((head.pathway, head.layers) for head in maps.heads))
    heights_in = [_height_in(maps, _of_row(maps, row)[0]) for row in rows]
    num_levels = len(maps.num_superclasses)
    figure = Figure((num_levels * _PANEL_IN + 1.6, sum(heights_in) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), num_levels, squeeze=False, gridspec_kw={"height_ratios": heights_in})
    for line, row in zip(grid, rows, strict=True):
        for axes, head in zip(line, _of_row(maps, row), strict=True):
            _draw_map(axes, maps, head, is_first=head.level == 0)
    for level, axes in enumerate(grid[0]):
        axes.set_title(f"{_head_text(maps, level)}\n{axes.get_title()}", fontsize="small")
    label = "mean absolute gradient,\nshare of the map's largest"
    bar = figure.colorbar(ScalarMappable(Normalize(0.0, 1.0), _COLOURS), ax=grid, shrink=0.8)
    bar.set_label(label, fontsize="small")
    bar.ax.tick_params(labelsize="small")
    return figure


def gradient_arrays(maps: GradientMaps) -> bytes:
    """Return the maps as an .npz file, not normalized: an array for each pathway, level and shape of a map.

    Arrays are named ``level1``, or ``rgb_level1`` with several pathways or inputs; further shapes add ``_2``,
    ... to the name. ``NAME_axes`` holds the names of the axes, ``NAME_layers`` those of the convolutions, and
    ``num_clips`` the number of clips.
    """
    arrays: dict[str, Any] = {"num_clips": np.array(maps.num_clips)}
    for head in maps.heads:
        prefix = f"{head.pathway.replace(' ', '_')}_" if head.pathway else ""
        base = f"{prefix}level{head.level + 1}"
        name, number = base, 1
        while name in arrays:
            number += 1
            name = f"{base}_{number}"
        arrays[name] = head.means
        arrays[f"{name}_axes"] = np.array(maps.axes_of(head))
        arrays[f"{name}_layers"] = np.array(head.layers)
    if maps.joint_names:
        arrays["joints"] = np.array(maps.joint_names)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def gradients_caption(maps: GradientMaps) -> str:
    """Return what the maps show, for a reader of the page."""
    ends = dict.fromkeys(", ".join(head.layers) for head in maps.heads)
    is_spatial = any(head.means.ndim == 3 for head in maps.heads)
    return (
        "Bright places are those at which the loss of a level depends most on the output of the network's "
        f"first stack: the mean absolute gradient of a clip's cross-entropy at {' and at '.join(ends)}, over "
        f"{plural(maps.num_clips, 'validation clip')}{' and all frames' if is_spatial else ''}. Each map is "
        "relative to its largest value, which its title gives."
    )


def _of_row(maps: GradientMaps, row: tuple[str, tuple[str, ...]]) -> list[HeadGradients]:
    return [head for head in maps.heads if (head.pathway, head.layers) == row]


def _height_in(maps: GradientMaps, head: HeadGradients) -> float:
    if maps.axes_of(head) == ("time", "joint"):
        return max(_PANEL_IN, _JOINT_IN * float(head.means.shape[1])) + 0.5
    return _PANEL_IN if head.means.ndim > 1 else _PANEL_IN / 2 + 0.4


def _head_text(maps: GradientMaps, level: int) -> str:
    number = maps.num_superclasses[level]
    is_last = level == len(maps.num_superclasses) - 1
    return f"level {level + 1}: {number} {'classes' if is_last else 'superclasses'}"


def _draw_map(axes: Axes, maps: GradientMaps, head: HeadGradients, *, is_first: bool) -> None:
    names = maps.axes_of(head)
    means = head.means.mean(axis=0) if len(names) == 3 else head.means
    shares = means / (float(means.max()) or 1.0)
    prefix = f"{head.pathway}, " if head.pathway else ""
    axes.set_title(f"{prefix}largest {means.max():.2g}", fontsize="small", parse_math=False)
    axes.tick_params(labelsize=6, length=2)
    if len(names) == 1:
        axes.bar(range(len(shares)), shares, width=1.0, color=colormaps[_COLOURS](shares))
        axes.set_ylim(0.0, 1.0)
        axes.set_xlabel("time", fontsize="small")
        return
    is_joints = names == ("time", "joint")
    picture = shares.T if is_joints else shares
    axes.imshow(
        picture,
        cmap=_COLOURS,
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest",
        aspect="auto" if is_joints else "equal",
    )
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("time" if is_joints else "column", fontsize="small")
    if not is_first:
        axes.set_yticks([])
    elif is_joints and len(maps.joint_names) == len(picture):
        axes.set_yticks(np.arange(len(picture)), maps.joint_names, fontsize=6, parse_math=False)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel("joint" if is_joints else "row", fontsize="small")
