"""Figure of the attention to parts of the body: a row for each class, a column for each part.

Legend: K classes, P parts.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from autohier.core.part_attention import MeanAttention
from autohier.text import plural

_ROW_IN, _COLUMN_IN, _NAMES_IN, _FRAME_IN = 0.2, 0.8, 2.2, 1.0
_DARK: Final = 0.6
"""Share of the colors' range above which numbers are black."""


def draw_attention(attention: MeanAttention, class_names: Sequence[str]) -> Figure:
    """Return the mean attention of every class in percent; classes without clips stay empty."""
    num_classes, num_parts = attention.means_KP.shape
    size_in = (_NAMES_IN + num_parts * _COLUMN_IN + 1.0, _FRAME_IN + num_classes * _ROW_IN)
    figure = Figure(size_in, layout="constrained")
    axes = figure.subplots()
    shares_KP = np.ma.masked_invalid(attention.means_KP)
    low, high = float(shares_KP.min()), float(shares_KP.max())
    picture = axes.imshow(shares_KP, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    for row, column in zip(*np.nonzero(np.isfinite(attention.means_KP)), strict=True):
        share = attention.means_KP[row, column]
        colour = "black" if share > low + _DARK * (high - low) else "white"
        axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=6)
    axes.set_xticks(range(num_parts), [part.replace("_", " ") for part in attention.parts], fontsize="small")
    axes.set_yticks(range(num_classes), class_names, fontsize=6, parse_math=False)
    clips = plural(attention.num_clips, "validation clip")
    axes.set_title(f"Mean attention, {clips}", fontsize="small")
    figure.colorbar(picture, ax=axes, format=lambda share, _: f"{share:.0%}").ax.tick_params(
        labelsize="small"
    )
    return figure


def attention_arrays(attention: MeanAttention) -> bytes:
    """Return the numbers as an .npz file: ``means`` [K, P], ``parts`` and ``num_clips``."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        means=attention.means_KP,
        parts=np.array(attention.parts),
        num_clips=np.array(attention.num_clips),
    )
    return buffer.getvalue()
