"""Picture of a video with the persons and the classes that were recognized in it.

Shape letters: H W pixels, V joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from autohier.deploy.live.recognizer import LiveLabel
from autohier.poses.estimator import FoundPerson
from autohier.reports.clips.person import draw_person
from autohier.text import shown

_USUAL_HEIGHT_PX: Final = 480
_TEXT_PX: Final = 18
_MIN_TEXT_PX: Final = 10
_BANNER, _BAR = (0, 0, 0, 160), (44, 160, 44, 200)


def draw_live(
    picture_HW3: NDArray[np.uint8],
    persons: Sequence[FoundPerson],
    bones: tuple[tuple[int, int], ...],
    label: LiveLabel | None,
) -> NDArray[np.uint8]:
    """Return a picture with skeletons, and at the top its classes with bars of their confidence.

    Args:
        picture_HW3: RGB picture, which stays as it is.
        persons: persons in it; joints of score 0 are not drawn.
        bones: pairs of joint indices.
        label: last label; None before the first.
    """
    image = Image.fromarray(picture_HW3)
    draw = ImageDraw.Draw(image, "RGBA")
    scale = min(image.size) / _USUAL_HEIGHT_PX
    for number, person in enumerate(persons):
        points_V2 = np.where(person.scores_V[:, None] > 0, person.joints_V2, np.nan)
        draw_person(draw, points_V2, bones, number, scale=max(scale, 0.5))
    _draw_classes(draw, image.width, label, size_px=max(round(_TEXT_PX * scale), _MIN_TEXT_PX))
    return np.asarray(image)


def _draw_classes(draw: ImageDraw.ImageDraw, width_px: int, label: LiveLabel | None, *, size_px: int) -> None:
    font = ImageFont.load_default(size_px)
    lines = _lines(label)
    row_px = round(1.4 * size_px)
    draw.rectangle((0, 0, width_px, row_px * len(lines)), fill=_BANNER)
    for index, (text, share) in enumerate(lines):
        top = index * row_px
        if share > 0:
            draw.rectangle((0, top + 1, round(share * width_px / 2), top + row_px - 1), fill=_BAR)
        draw.text((size_px // 3, top + row_px // 8), text, fill="white", font=font)


def _lines(label: LiveLabel | None) -> list[tuple[str, float]]:
    """Return the lines of the banner, each with the length of its bar as a share."""
    if label is None:
        return [("waiting for the first window", 0.0)]
    if not label.classes:
        return [(shown(label.fault), 0.0)]
    pairs = zip(label.classes, label.confidences, strict=True)
    return [(f"{shown(name)} {confidence:.0%}", confidence) for name, confidence in pairs]
