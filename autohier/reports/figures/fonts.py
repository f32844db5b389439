"""Fonts of names that hold any script, as names of classes may."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.ft2font import LoadFlags

from autohier.text import shown

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_FONTS: Final = (
    "DejaVu Sans",  # is part of Matplotlib
    *(
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Source Han Sans SC",
        "WenQuanYi Zen Hei",
        "Droid Sans Fallback",
    ),
    *("Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS"),
)
"""Fonts of names, if installed; the first one that has a character draws it."""
_POINTS_PER_IN: Final = 72
_SUBPIXELS: Final = 64


@lru_cache(maxsize=1)
def installed_fonts() -> tuple[str, ...]:
    """Return the fonts that draw names, in the order in which they are tried."""
    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _FONTS if name in installed)


def text_width_in(text: str, fonts: Sequence[str], points: float) -> float:
    """Return the width of a text of one line, as these fonts draw it in a size.

    Args:
        text: as `drawable` returns it.
        fonts: fonts that draw it.
        points: size of the text.
    """
    font = get_font([findfont(name) for name in fonts])
    font.set_size(points, _POINTS_PER_IN)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    width, _ = font.get_width_height()
    return width / _SUBPIXELS / _POINTS_PER_IN


def drawable(text: str, fonts: Sequence[str]) -> str:
    """Return a text with control characters shown, and a replacement for what none of the fonts has."""
    faces = [get_font(findfont(name)) for name in fonts]
    return "".join(
        char if any(face.get_char_index(ord(char)) for face in faces) else _REPLACEMENT
        for char in shown(text)
    )
