"""Contact sheet of a prepared clip: the crop box in the source frame, and frames with the skeleton.

Shape letters: M persons, T frames, V joints, E bones, N points.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from autohier.reports.clips.geometry import Points, Window, finite_points, to_square
from autohier.reports.clips.view import ClipView
from autohier.reports.figures.fonts import drawable, installed_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 100
PANEL_IN = 2.6
HEADER_IN = 0.8
MAX_COLUMNS = 5
_HEADER_POINTS = 9.0
_CHAR_IN_PER_POINT = 0.0085
_MAX_DOTS = 5000
_BORDER = 0.05


def sheet_size_px(num_frames: int) -> tuple[int, int]:
    """Return the width and height of a contact sheet with a number of frames."""
    columns, rows = _grid(num_frames + 1)
    width_in, height_in = _size_in(columns, rows)
    return round(width_in * DOTS_PER_INCH), round(height_in * DOTS_PER_INCH)


def draw_contact_sheet(view: ClipView) -> bytes:
    """Return a PNG of a clip, with the size of `sheet_size_px`."""
    columns, rows = _grid(len(view.frame_indices) + 1)
    width_in, height_in = _size_in(columns, rows)
    figure = Figure((width_in, height_in), DOTS_PER_INCH, layout="constrained")
    fitting_points = width_in / (_CHAR_IN_PER_POINT * max(map(len, view.header)))
    fonts = installed_fonts()
    figure.suptitle(
        "\n".join(drawable(line, fonts) for line in view.header),
        size=min(_HEADER_POINTS, fitting_points),
        family=fonts,
        ha="left",
        x=0.01,
        parse_math=False,
    )
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.set_axis_off()
    _draw_source(panels[0], view)
    for position in range(len(view.frame_indices)):
        _draw_frame(panels[1 + position], view, position)
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _grid(num_panels: int) -> tuple[int, int]:
    columns = min(num_panels, MAX_COLUMNS)
    return columns, math.ceil(num_panels / columns)


def _size_in(columns: int, rows: int) -> tuple[float, float]:
    return max(columns, 2) * PANEL_IN, rows * PANEL_IN + HEADER_IN


def _draw_source(axes: Axes, view: ClipView) -> None:
    shown = view.source or view.window
    for person, points_TV2 in enumerate(view.points_MTV2):
        points_N2 = finite_points(points_TV2)
        points_N2 = points_N2[:: max(1, len(points_N2) // _MAX_DOTS)]
        axes.plot(*points_N2.T, ".", color=_colour(person), markersize=2, alpha=0.15)
    if view.source is not None:
        axes.add_patch(_rectangle(view.source, "0.3"))
    axes.add_patch(_rectangle(view.window, "red"))
    axes.set_title("in meters" if view.source is None else "crop box in the source", size=8)
    _limit(axes, _visible_window(shown, view.points_MTV2))
    axes.set_aspect("equal")


def _visible_window(shown: Window, points_MTV2: Points) -> Window:
    # Joints of a wrong projection lie outside of the frame, and are shown up to one frame size away.
    size_2 = np.subtract(shown[2:], shown[:2])
    corners = np.array([shown[:2], shown[2:]])
    points_N2 = finite_points(points_MTV2).clip(corners[0] - size_2, corners[1] + size_2)
    all_N2 = np.concatenate([corners, points_N2])
    extra_2 = _BORDER * size_2
    return Window(*(all_N2.min(axis=0) - extra_2).tolist(), *(all_N2.max(axis=0) + extra_2).tolist())


def _draw_frame(axes: Axes, view: ClipView, position: int) -> None:
    frame_HWC = view.frames_THWC[position]
    side_px = len(frame_HWC)
    square = Window(0, 0, side_px, side_px)
    image = frame_HWC[:, :, 0] if frame_HWC.shape[2] == 1 else frame_HWC
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(0, side_px, side_px, 0))
    index = view.frame_indices[position]
    if index < view.points_MTV2.shape[1]:
        placed_MV2 = to_square(view.points_MTV2[:, index], view.window, side_px)
        for person, points_V2 in enumerate(placed_MV2):
            _draw_person(axes, points_V2, view.bones, _colour(person))
    axes.add_patch(_rectangle(square, "0.7"))
    axes.set_title(f"frame {index}", size=8)
    _limit(axes, square)


def _draw_person(
    axes: Axes, points_V2: Points, bones: tuple[tuple[int, int], ...], colour: tuple[float, ...]
) -> None:
    if not np.isfinite(points_V2).any():
        return
    # NaN after every bone interrupts the line, so that one call draws all bones.
    bones_E32 = np.full((len(bones), 3, 2), np.nan)
    bones_E32[:, :2] = points_V2[np.array(bones)]
    axes.plot(*bones_E32.reshape(-1, 2).T, color=colour, linewidth=1.2)
    axes.plot(*points_V2.T, ".", color=colour, markersize=4, markeredgecolor="black", markeredgewidth=0.3)


def _colour(person: int) -> tuple[float, ...]:
    return tuple(colormaps["tab10"]((person + 1) % 10))


def _rectangle(window: Window, colour: str) -> Rectangle:
    width, height = window.right - window.left, window.bottom - window.top
    return Rectangle((window.left, window.top), width, height, facecolor="none", edgecolor=colour)


def _limit(axes: Axes, window: Window) -> None:
    axes.set_xlim(window.left, window.right)
    axes.set_ylim(window.bottom, window.top)
