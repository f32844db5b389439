"""Progress of ``prepare``, ``check`` and ``poses``: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from autohier.console import EscapingConsole
from autohier.text import duration_text

if TYPE_CHECKING:
    from autohier.data.prepare.summary import PrepareProgress

_LINE_EVERY_S = 10.0


class ProgressLines:
    """Progress display on standard error; as a context manager, it removes its bar at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or EscapingConsole(stderr=True)
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
        """Print a permanent line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show_generated(self, num_done: int, num_clips: int) -> None:
        """Show the number of generated demo clips."""
        self._show("generating", num_done, num_clips, "")

    def show_prepared(self, progress: PrepareProgress) -> None:
        """Show the number of prepared clips, the speed and the remaining time."""
        notes = []
        if progress.remaining_s is not None:
            notes += [f"{progress.clips_per_s:.1f} clips/s", f"{duration_text(progress.remaining_s)} left"]
        if progress.num_reused:
            notes.append(f"{progress.num_reused:,} prepared before")
        if progress.num_rejected:
            notes.append(f"{progress.num_rejected:,} rejected")
        self._show("preparing", progress.num_done, progress.num_clips, ", ".join(notes))

    def show_checked(self, task: str, num_done: int, num_total: int) -> None:
        """Show the number of checked clips or files of a source."""
        self._show(task, num_done, num_total, "")

    def show_poses(self, num_done: int, num_videos: int, frame: int, num_frames: int) -> None:
        """Show the number of videos whose poses are found, and the place in the next one."""
        self._show("finding poses", num_done, num_videos, f"frame {frame:,} of {num_frames:,}")

    def _show(self, task: str, num_done: int, num_total: int, note: str) -> None:
        if self._console.is_terminal:
            if task not in self._tasks:
                self._tasks[task] = self._bar.add_task(task, total=num_total, note=note)
            self._bar.update(self._tasks[task], completed=num_done, total=num_total, note=note)
            return
        now_s, is_end = time.monotonic(), num_done == num_total
        if (is_end and self._ended != task) or (not is_end and now_s - self._last_line_s >= _LINE_EVERY_S):
            self._last_line_s = now_s
            self._ended = task if is_end else None
            self.say(f"{task} {num_done}/{num_total} {note}".rstrip())
