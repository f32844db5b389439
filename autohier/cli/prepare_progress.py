"""How ``prepare`` shows its progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

if TYPE_CHECKING:
    from autohier.data.preparation import PrepareProgress

_LINE_EVERY_S = 10.0


class ProgressLines:
    """Shows generation and preparation; a context, so that the bar goes away when it ends."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._last_line_s = 0.0
        self._ended: str | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Show a line that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show_generated(self, num_done: int, num_clips: int) -> None:
        """Show how many clips of the demo are generated."""
        self._show("generating", num_done, num_clips, "")

    def show_prepared(self, progress: PrepareProgress) -> None:
        """Show how many clips are prepared, how fast, and for how long yet."""
        notes = []
        if progress.left_s is not None:
            notes += [f"{progress.clips_per_s:.1f} clips/s", f"{format_duration(progress.left_s)} left"]
        if progress.num_found:
            notes.append(f"{progress.num_found:,} found prepared")
        if progress.num_rejected:
            notes.append(f"{progress.num_rejected:,} rejected")
        self._show("preparing", progress.num_done, progress.num_clips, ", ".join(notes))

    def show_checked(self, what: str, num_done: int, num_all: int) -> None:
        """Show how many clips or files of a source are checked."""
        self._show(what, num_done, num_all, "")

    def _show(self, what: str, num_done: int, num_clips: int, note: str) -> None:
        if self._console.is_terminal:
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what, total=num_clips, note=note)
            self._bar.update(self._tasks[what], completed=num_done, total=num_clips, note=note)
            return
        now_s, is_end = time.monotonic(), num_done == num_clips
        if (is_end and self._ended != what) or (not is_end and now_s - self._last_line_s >= _LINE_EVERY_S):
            self._last_line_s = now_s
            self._ended = what if is_end else None
            self.say(f"{what} {num_done}/{num_clips} {note}".rstrip())


def format_duration(duration_s: float) -> str:
    """A duration as people say it: ``45 s``, ``3 min``, ``2 h 05 min``."""
    if duration_s < 60:
        return f"{duration_s:.0f} s"
    minutes = round(duration_s / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
