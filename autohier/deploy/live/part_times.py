"""Time that each part of a pipeline takes."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class PartTimes:
    """Number of runs of each part, and the seconds that they took."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.runs: Counter[str] = Counter()
        self._clock = clock

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the time of the block to a part."""
        start_s = self._clock()
        yield
        self.add(part, 1, self._clock() - start_s)

    def add(self, part: str, runs: int, seconds: float) -> None:
        """Add runs that were measured elsewhere."""
        self.seconds[part] += seconds
        self.runs[part] += runs

    def per_second(self, part: str) -> float | None:
        """Return the runs of a part per second of its own time; None if it did not run."""
        seconds = self.seconds[part]
        return self.runs[part] / seconds if self.runs[part] and seconds > 0 else None
