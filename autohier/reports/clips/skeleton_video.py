"""Video of a prepared clip with its skeleton, as MP4 or GIF.

Shape letters: M persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from autohier.data.video.encoding import encode_mp4
from autohier.errors import InputError
from autohier.reports.clips.geometry import Points, Window
from autohier.reports.clips.person import draw_person
from autohier.reports.clips.view import ClipView
from autohier.text import shown

FORMATS: Final = ("mp4", "gif")
_HEIGHT_PX, _CAPTION_PX, _TEXT_PX = 360, 24, 14
_MIN_WIDTH_PX = 320
"""Width that leaves room for the caption."""
_SHAPES: Final = (0.4, 2.5)
"""Narrowest and widest picture: width over height."""
_SMOOTHING: Final = 2
"""Factor at which lines are drawn before the picture is reduced, so that they are smooth."""


def video_format(path: Path) -> str:
    """Return the format of a video by the ending of its file.

    Raises:
        InputError: if the format is unknown.
    """
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise InputError("a video must end in .mp4 or .gif", got=path, hint="write e.g. --out clip.mp4")
    return ending


def encode_clip(view: ClipView, file_format: str, *, frame_rate: int) -> bytes:
    """Return a clip as a video.

    Args:
        view: a view with all stored frames of the clip.
        file_format: "mp4" or "gif".
        frame_rate: frames of the source per second.
    """
    pictures = draw_pictures(view)
    if file_format == "mp4":
        return encode_mp4(pictures, frame_rate=frame_rate)
    first, *others = (Image.fromarray(picture).quantize(128) for picture in pictures)
    buffer = io.BytesIO()
    first.save(
        buffer, format="GIF", save_all=True, append_images=others, duration=round(1000 / frame_rate), loop=0
    )
    return buffer.getvalue()


def draw_pictures(view: ClipView) -> Iterator[NDArray[np.uint8]]:
    """Yield a picture for every frame of the source: uint8 [H, W, 3], of even sides.

    It shows the last stored frame until then, in the proportions of the source, with the skeleton of the
    frame itself. A store of skeletons alone has white pictures.
    """
    width_px = _width_px(view.window)
    font = ImageFont.load_default(_TEXT_PX)
    for index in range(_num_pictures(view)):
        position = int(np.searchsorted(view.frame_indices, index, side="right")) - 1
        frame_HWC = view.frames_THWC[max(position, 0)]
        gray = frame_HWC.shape[2] == 1
        image = Image.fromarray(frame_HWC[:, :, 0] if gray else frame_HWC).convert("RGB")
        image = image.resize((_SMOOTHING * width_px, _SMOOTHING * _HEIGHT_PX), Image.Resampling.BILINEAR)
        if index < view.points_MTV2.shape[1]:
            draw = ImageDraw.Draw(image)
            for person, points_V2 in enumerate(view.points_MTV2[:, index]):
                placed_V2 = _placed(points_V2, view.window, image.size)
                draw_person(draw, placed_V2, view.bones, person, scale=_SMOOTHING)
        whole_px = max(width_px, _MIN_WIDTH_PX)
        picture = Image.new("RGB", (whole_px, _HEIGHT_PX + _CAPTION_PX), "white")
        picture.paste(image.reduce(_SMOOTHING), ((whole_px - width_px) // 2, _CAPTION_PX))
        caption = f"{index}  {shown(view.header[0])}"
        ImageDraw.Draw(picture).text((4, 3), caption, fill="black", font=font)
        yield np.asarray(picture)


def _num_pictures(view: ClipView) -> int:
    """Return the number of frames of the source that are known: of the video or the skeleton."""
    return max(int(view.points_MTV2.shape[1]), max(view.frame_indices, default=-1) + 1)


def _width_px(window: Window) -> int:
    shape = (window.right - window.left) / (window.bottom - window.top)
    return 2 * round(_HEIGHT_PX * float(np.clip(shape, *_SHAPES)) / 2)


def _placed(points_V2: Points, window: Window, size_px: tuple[int, int]) -> Points:
    """Return points in pixels of a picture to which the window is resized."""
    left, top, right, bottom = window
    placed: Points = (points_V2 - (left, top)) * size_px / (right - left, bottom - top)
    return placed
