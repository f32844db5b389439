"""A counted clock: runs processes that compute for some seconds, or wait for an event, in simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Hashable, Iterable
from itertools import count

Event = tuple[Hashable, ...]
Steps = Generator[float | Event, None, None]
"""A process: yields the seconds that it takes until it continues, or the event that it waits for."""


class Clock:
    """Simulated time and its processes; processes due at the same time run in order of arrival."""

    def __init__(self) -> None:
        self.now = 0.0
        self._agenda: list[tuple[float, int, Steps]] = []
        self._order = count()
        self._waiting: dict[Event, list[Steps]] = {}

    def run(self, process: Steps) -> None:
        """Run a simulated process, and all that it starts, until no process is due."""
        self._advance(process)
        while self._agenda:
            self.now, _, due = heapq.heappop(self._agenda)
            self._advance(due)

    def start(self, process: Steps) -> None:
        """Start a process now."""
        self._advance(process)

    def start_all(self, processes: Iterable[Steps]) -> Steps:
        """Start processes now, and wait until all of them have ended."""
        running = dict(enumerate(processes))
        ended: Event = ("ended", id(running))

        def watched(number: int, process: Steps) -> Steps:
            yield from process
            del running[number]
            if not running:
                self.wake(ended)

        for number, process in list(running.items()):
            self.start(watched(number, process))
        if running:
            yield ended

    def wake(self, event: Event) -> None:
        """Let the processes continue that wait for an event."""
        for process in self._waiting.pop(event, []):
            self._schedule(process, 0.0)

    def _advance(self, process: Steps) -> None:
        step = next(process, None)
        if isinstance(step, tuple):
            self._waiting.setdefault(step, []).append(process)
        elif step is not None:
            self._schedule(process, step)

    def _schedule(self, process: Steps, seconds: float) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), process))
