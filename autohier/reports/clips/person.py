"""Drawing of one person's joints and bones.

Shape letters: V joints.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import ImageDraw

from autohier.reports.clips.geometry import Points

_COLORS: Final = ((255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75))
"""Colors of persons, one after the other."""


def draw_person(
    draw: ImageDraw.ImageDraw,
    points_V2: Points,
    bones: tuple[tuple[int, int], ...],
    person: int,
    *,
    scale: float,
) -> None:
    """Draw a person's bones as lines and the joints as circles.

    Args:
        draw: picture to draw into.
        points_V2: joints in pixels of the picture; NaN if missing.
        bones: pairs of joint indices.
        person: number of the person, which gives the color.
        scale: width of a line in halves of a pixel.
    """
    color, radius = _COLORS[person % len(_COLORS)], 3 * scale
    places = [(x, y) for x, y in points_V2.tolist()]
    for ends in ([places[joint] for joint in bone] for bone in bones):
        if np.isfinite(ends).all():
            draw.line(ends, fill=color, width=round(2 * scale))
    for x, y in places:
        if np.isfinite((x, y)).all():
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline="black")
