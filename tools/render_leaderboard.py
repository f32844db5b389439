"""Draw the leaderboard of a finished sweep as an SVG picture for the documentation.

Usage: python tools/render_leaderboard.py SWEEP_FOLDER FILE.svg
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from autohier.records.reader import Records
from autohier.reports.sweeps.report import sweep_report
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.paths import SweepFolder

_WIDTH = 132
_THEME = TerminalTheme(
    (250, 250, 250),
    (33, 33, 33),
    [
        (33, 33, 33),
        (183, 28, 28),
        (27, 94, 32),
        (130, 119, 23),
        (13, 71, 161),
        (74, 20, 140),
        (0, 96, 100),
        (97, 97, 97),
    ],
)
# Without the fonts that rich loads from another host.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def render(records: Records, title: str) -> str:
    """Return an SVG picture of the report on a sweep."""
    console = Console(width=_WIDTH, record=True, file=io.StringIO(), highlight=False, markup=False)
    console.print(sweep_report(records))
    return console.export_svg(title=title, theme=_THEME, code_format=_FORMAT)


def main() -> None:
    """Render the sweep that the command line names."""
    folder, picture = map(Path, sys.argv[1:])
    sweep = SweepFolder(folder)
    plan, _ = sweep.read_plan()
    picture.write_text(render(read_chosen(sweep, plan), f"autohier status {folder.name}"), "utf-8")


if __name__ == "__main__":
    main()
