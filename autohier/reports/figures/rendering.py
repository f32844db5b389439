"""Rendering of figures for the page and for papers: equal figures are equal bytes, and no text is cut.

PDF files embed the fonts of their text (TrueType, which publishers accept), so that it can be searched. SVG
files hold the outlines of letters, so that they look the same in every program.
"""

from __future__ import annotations

import io
from typing import Any, Final, Literal

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from autohier.errors import InputError

FigureFormat = Literal["pdf", "svg", "png"]
FORMATS: Final[tuple[FigureFormat, ...]] = ("pdf", "svg", "png")
_UNKNOWN: Final[dict[str, dict[str, Any]]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
}
"""Metadata that a file leaves out, as they would differ between equal figures or name other hosts."""
_TRUETYPE: Final = 42
_DOTS_PER_INCH: Final = 200


def render(figure: Figure, file_format: FigureFormat) -> bytes:
    """Return a figure as a file; the page grows with labels that lie outside of it."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "autohier", "svg.fonttype": "path", "pdf.fonttype": _TRUETYPE}):
        figure.savefig(
            buffer,
            format=file_format,
            metadata=_UNKNOWN[file_format],
            bbox_inches="tight",
            pad_inches=0.05,
            dpi=_DOTS_PER_INCH,
        )
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG, for the page."""
    return render(figure, "svg")


def parse_formats(names: str) -> tuple[FigureFormat, ...]:
    """Return formats from their names, separated by commas.

    Raises:
        InputError: if a name is unknown, or there is none.
    """
    wanted = dict.fromkeys(name.strip().lower() for name in names.split(",") if name.strip())
    found = tuple(each for each in FORMATS if each in wanted)
    if not found or len(found) < len(wanted):
        raise InputError(f"--formats takes {', '.join(FORMATS)}", got=names, hint="write e.g. --formats pdf")
    return found
