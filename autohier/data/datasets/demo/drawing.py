"""Renderer of the demo's videos: persons as shaded capsules, drawn from far to near in a room.

Shape letters: N persons, T frames, V joints, L limbs, H W pixels. Positions are in a camera's axes, in
meters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from autohier.data.datasets.demo import body
from autohier.data.datasets.demo.body import Array, Colour, Person
from autohier.data.datasets.demo.cameras import COLOUR_SIZE_PX, colour_pixels
from autohier.digest import derive_seed

SIZE_PX = (320, 180)
_SUPERSAMPLING = 2  # frames are drawn at twice the size and averaged
_COLOUR_PX_AT_1M = 1056.0
_SCALE = SIZE_PX[0] * _SUPERSAMPLING / COLOUR_SIZE_PX[0]

# (from joint, to joint, radius in meters, name of the color); the trunk is first and has no shaded rims, so
# that its pieces merge.
_LIMBS: tuple[tuple[int, int, float, str], ...] = (
    (body.SPINE_BASE, body.SPINE_SHOULDER, 0.120, "shirt"),
    (body.LEFT_SHOULDER, body.LEFT_HIP, 0.062, "shirt"),
    (body.RIGHT_SHOULDER, body.RIGHT_HIP, 0.062, "shirt"),
    (body.LEFT_SHOULDER, body.RIGHT_SHOULDER, 0.062, "shirt"),
    (body.LEFT_HIP, body.RIGHT_HIP, 0.080, "trousers"),
    (body.SPINE_SHOULDER, body.HEAD, 0.050, "skin"),
    (body.LEFT_SHOULDER, body.LEFT_ELBOW, 0.056, "shirt"),
    (body.RIGHT_SHOULDER, body.RIGHT_ELBOW, 0.056, "shirt"),
    (body.LEFT_ELBOW, body.LEFT_WRIST, 0.047, "skin"),
    (body.RIGHT_ELBOW, body.RIGHT_WRIST, 0.047, "skin"),
    (body.LEFT_WRIST, body.LEFT_HAND, 0.054, "skin"),
    (body.RIGHT_WRIST, body.RIGHT_HAND, 0.054, "skin"),
    (body.LEFT_HIP, body.LEFT_KNEE, 0.078, "trousers"),
    (body.RIGHT_HIP, body.RIGHT_KNEE, 0.078, "trousers"),
    (body.LEFT_KNEE, body.LEFT_ANKLE, 0.055, "trousers"),
    (body.RIGHT_KNEE, body.RIGHT_ANKLE, 0.055, "trousers"),
    (body.LEFT_ANKLE, body.LEFT_FOOT, 0.045, "shoes"),
    (body.RIGHT_ANKLE, body.RIGHT_FOOT, 0.045, "shoes"),
)
_NUM_TRUNK = 4
_STARTS, _ENDS = [limb[0] for limb in _LIMBS], [limb[1] for limb in _LIMBS]
_RADII_M = np.array([limb[2] for limb in _LIMBS])
_HEAD_M = 0.105
_SHADOW, _LIGHT = 0.70, 0.62  # brightness of the shaded rim, and share of a limb's width that is lit


def draw_room(seed: int, setup: int, camera: int) -> Image.Image:
    """Draw the background of one camera in one setup: wall, floor, furniture and noise."""
    rng = np.random.default_rng(derive_seed(seed, "room", setup, camera))
    width_px, height_px = SIZE_PX
    horizon = int(height_px * rng.uniform(0.55, 0.70))
    wall, floor = (_near_grey(rng, *brightness) for brightness in ((180, 220), (130, 170)))
    fall_H1 = np.linspace(1.0, 0.82, height_px)[:, None]
    picture_HW3 = np.where(np.arange(height_px)[:, None, None] < horizon, wall, floor) * fall_H1[..., None]
    picture_HW3 = np.repeat(picture_HW3, width_px, axis=1)
    for _ in range(rng.integers(6, 12)):
        left, top = rng.integers(0, width_px), rng.integers(0, height_px)
        wide, high = rng.integers(15, 80), rng.integers(15, 70)
        shade = 0.6 * picture_HW3[top, left] + 0.4 * _near_grey(rng, 110, 235)
        picture_HW3[top : top + high, left : left + wide] = shade
    picture_HW3 += rng.normal(0, 3.0, picture_HW3.shape)
    room = Image.fromarray(np.clip(picture_HW3, 0, 255).astype(np.uint8))
    return room.resize((width_px * _SUPERSAMPLING, height_px * _SUPERSAMPLING), Image.Resampling.BILINEAR)


def draw_frames(
    room: Image.Image, persons: tuple[Person, ...], positions_NTV3: Array
) -> Iterator[NDArray[np.uint8]]:
    """Yield the video's frames ``[H, W, 3]``, uint8 RGB, 320x180.

    The distance of a limb is that of its middle. The head is drawn as the part after the L limbs.
    """
    starts_NTL3, ends_NTL3 = positions_NTV3[:, :, _STARTS], positions_NTV3[:, :, _ENDS]
    middles_NTL = (starts_NTL3[..., 2] + ends_NTL3[..., 2]) / 2
    girths_N11 = np.array([person.girth for person in persons])[:, None, None]
    widths_NTL = girths_N11 * _RADII_M * _COLOUR_PX_AT_1M * _SCALE / middles_NTL
    starts_NTL2, ends_NTL2 = colour_pixels(starts_NTL3) * _SCALE, colour_pixels(ends_NTL3) * _SCALE
    heads_NT3 = positions_NTV3[:, :, body.HEAD]
    depths_NTP = np.concatenate((middles_NTL, heads_NT3[..., 2:]), axis=-1)
    far_to_near_TP = np.argsort(-np.concatenate(list(depths_NTP), axis=-1), axis=-1, kind="stable")
    colours = [_limb_colours(person) for person in persons]
    for t in range(positions_NTV3.shape[1]):
        canvas = room.copy()
        pen = ImageDraw.Draw(canvas)
        for part in far_to_near_TP[t].tolist():
            n, i = divmod(part, len(_LIMBS) + 1)
            if i == len(_LIMBS):
                _draw_head(pen, persons[n], heads_NT3[n, t])
                continue
            start, end = starts_NTL2[n, t, i].tolist(), ends_NTL2[n, t, i].tolist()
            _draw_capsule(pen, start, end, float(widths_NTL[n, t, i]), colours[n][i])
        yield np.asarray(canvas.reduce(_SUPERSAMPLING))


def _near_grey(rng: np.random.Generator, darkest: float, brightest: float) -> Array:
    """Sample a color near gray, against which the persons' colors stand out."""
    return rng.uniform(darkest, brightest) + rng.uniform(-14, 14, 3)


def _limb_colours(person: Person) -> list[tuple[Colour, Colour]]:
    """Return the shaded and the lit color of every limb."""
    plain: list[Colour] = [getattr(person, part) for _, _, _, part in _LIMBS]
    return [(colour if i < _NUM_TRUNK else _darken(colour), colour) for i, colour in enumerate(plain)]


def _darken(colour: Colour) -> Colour:
    red, green, blue = (int(_SHADOW * value) for value in colour)
    return red, green, blue


def _draw_capsule(
    pen: ImageDraw.ImageDraw,
    start: list[float],
    end: list[float],
    radius_px: float,
    colours: tuple[Colour, Colour],
) -> None:
    """Draw a limb with round ends: a dark one, and on it a narrower lit one, shifted up and to the left."""
    for colour, radius, shift in (
        (colours[0], radius_px, 0.0),
        (colours[1], radius_px * _LIGHT, -0.2 * radius_px),
    ):
        (x0, y0), (x1, y1) = (start[0] + shift, start[1] + shift), (end[0] + shift, end[1] + shift)
        pen.line((x0, y0, x1, y1), fill=colour, width=max(1, round(2 * radius)))
        pen.ellipse((x0 - radius, y0 - radius, x0 + radius, y0 + radius), fill=colour)
        pen.ellipse((x1 - radius, y1 - radius, x1 + radius, y1 + radius), fill=colour)


def _draw_head(pen: ImageDraw.ImageDraw, person: Person, head_3: Array) -> None:
    x, y = (colour_pixels(head_3) * _SCALE).tolist()
    radius = _HEAD_M * _COLOUR_PX_AT_1M * _SCALE / float(head_3[2])
    pen.ellipse((x - 0.8 * radius, y - radius, x + 0.8 * radius, y + radius), fill=person.skin)
    pen.chord(
        (x - 0.84 * radius, y - 1.06 * radius, x + 0.84 * radius, y + 0.9 * radius),
        180,
        360,
        fill=person.hair,
    )
