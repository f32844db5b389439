"""The picture of a prepared clip: where its box lies in the source, then its frames under its skeleton.

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
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.patches import Rectangle

from autohier.reports.clip_geometry import Points, Window, finite_points, to_square
from autohier.reports.clip_view import ClipView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 100
PANEL_IN = 2.6
HEADER_IN = 0.8
MOST_COLUMNS = 5
_HEADER_POINTS = 9.0
_CHAR_IN_PER_POINT = 0.0085
_MOST_DOTS = 5000
_AROUND = 0.05
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_FONTS = (
    "DejaVu Sans",  # comes with Matplotlib
    *(
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Source Han Sans SC",
        "WenQuanYi Zen Hei",
        "Droid Sans Fallback",
    ),
    *("Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS"),
)
"""Of the header, as far as they are installed; a character is drawn in the first that has it."""


def sheet_size_px(num_frames: int) -> tuple[int, int]:
    """Width and height of the picture of so many frames."""
    columns, rows = _grid(num_frames + 1)
    width_in, height_in = _size_in(columns, rows)
    return round(width_in * DOTS_PER_INCH), round(height_in * DOTS_PER_INCH)


def draw_contact_sheet(view: ClipView) -> bytes:
    """Draw a clip.

    Returns:
        A PNG of `sheet_size_px`.
    """
    columns, rows = _grid(len(view.frame_indices) + 1)
    width_in, height_in = _size_in(columns, rows)
    figure = Figure((width_in, height_in), DOTS_PER_INCH, layout="constrained")
    fitting = width_in / (_CHAR_IN_PER_POINT * max(map(len, view.header)))
    fonts = _installed_fonts()
    figure.suptitle(
        "\n".join(_drawable(line, fonts) for line in view.header),
        size=min(_HEADER_POINTS, fitting),
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


def _installed_fonts() -> list[str]:
    installed = {font.name for font in fontManager.ttflist}
    return [name for name in _FONTS if name in installed]


def _drawable(text: str, fonts: list[str]) -> str:
    """A text in which a character that none of the fonts has is replaced."""
    faces = [get_font(findfont(name)) for name in fonts]
    return "".join(one if any(face.get_char_index(ord(one)) for face in faces) else _UNKNOWN for one in text)


def _grid(num_panels: int) -> tuple[int, int]:
    columns = min(num_panels, MOST_COLUMNS)
    return columns, math.ceil(num_panels / columns)


def _size_in(columns: int, rows: int) -> tuple[float, float]:
    return max(columns, 2) * PANEL_IN, rows * PANEL_IN + HEADER_IN


def _draw_source(axes: Axes, view: ClipView) -> None:
    shown = view.source or view.window
    for person, points_TV2 in enumerate(view.points_MTV2):
        points_N2 = finite_points(points_TV2)
        points_N2 = points_N2[:: max(1, len(points_N2) // _MOST_DOTS)]
        axes.plot(*points_N2.T, ".", color=_colour(person), markersize=2, alpha=0.15)
    if view.source is not None:
        axes.add_patch(_rectangle(view.source, "0.3"))
    axes.add_patch(_rectangle(view.window, "red"))
    axes.set_title("in metres" if view.source is None else "box in the source", size=8)
    _limit(axes, _reach(shown, view.points_MTV2))
    axes.set_aspect("equal")


def _reach(shown: Window, points_MTV2: Points) -> Window:
    # A wrong projection puts joints beside the frame: they are seen up to a frame's size away from it.
    size_2 = np.subtract(shown[2:], shown[:2])
    corners = np.array([shown[:2], shown[2:]])
    points_N2 = finite_points(points_MTV2).clip(corners[0] - size_2, corners[1] + size_2)
    all_N2 = np.concatenate([corners, points_N2])
    extra_2 = _AROUND * size_2
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
    # A gap after every bone, so that one line draws them all.
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
