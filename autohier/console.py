"""Console whose output cannot be controlled by the names that it shows."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from autohier.text import accept_any_text, shown


class EscapingConsole(Console):
    """Console that escapes control characters in all that it renders, except those of its own styles."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object; see `rich.console.Console.render`."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


def open_console() -> EscapingConsole:
    """Return a console on standard output, or in the notebook's cell, that can show any text."""
    accept_any_text(sys.stdout)
    return EscapingConsole(highlight=False, markup=False)
