"""Formatting of numbers in reports."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table


def percent(share: float) -> str:
    """Return a share with one decimal: "79.3%"."""
    return f"{100 * share:.1f}%"


def interval_text(low: float, high: float) -> str:
    """Return an interval of shares in percent: "72.0-86.2"."""
    return f"{100 * low:.1f}-{100 * high:.1f}"


def count_text(number: int | None) -> str:
    """Return a count with three digits: "1.23 M"; an empty text for None."""
    if number is None:
        return ""
    for size, unit in ((1_000_000_000, " G"), (1_000_000, " M"), (1_000, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def size_text(num_bytes: float) -> str:
    """Return a size in powers of 1000: "1.23 GB"."""
    for size, unit in ((1_000_000_000, "GB"), (1_000_000, "MB")):
        if num_bytes >= size:
            return f"{num_bytes / size:,.2f} {unit}"
    return f"{num_bytes / 1000:.1f} kB"


def plain_table(title: str | None = None, caption: str | None = None) -> Table:
    """Return an empty table without outer borders, its title and caption left-aligned."""
    table = Table(
        title=title, caption=caption, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.title_justify = table.caption_justify = "left"
    return table
