"""Reading ahead in a thread: the next frames wait, or only the newest one if frames may be dropped."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Self

from autohier.data.video.live_source import LiveFrame

_MAX_READY: Final = 4
_WAIT_S: Final = 0.2
"""Seconds after which waiting looks for signals and for the end."""


class ReadAhead:
    """Frames that a thread reads while earlier ones are used; a context manager, which ends the thread.

    Frames are handed out in order. If frames may be dropped, only the newest one waits; older ones that
    were not taken are dropped.
    """

    def __init__(self, frames: Iterator[LiveFrame], *, drops: bool, paced: bool = False) -> None:
        """Create the reader; the thread starts with the block.

        Args:
            frames: frames to read.
            drops: True drops frames that are not taken in time.
            paced: True reads a frame at its own time, like a camera.
        """
        self.num_dropped = 0
        self.num_read = 0
        self.reading_s = 0.0
        """Seconds that the source took, with waiting for a camera."""
        self._frames, self._drops, self._paced = frames, drops, paced
        self._ready: deque[LiveFrame] = deque()
        self._changed = threading.Condition()
        self._has_ended = False
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self.wait_s: Callable[[float], object] = self._stopped.wait
        """Waits for some seconds, or until the end."""
        # A source that sends nothing may block the thread: the process can end without it.
        self._thread = threading.Thread(target=self._read, name="frames", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(timeout=1.0)

    def stop(self) -> None:
        """End the frames at once; may be called by a handler of signals."""
        self._stopped.set()

    def __iter__(self) -> Iterator[LiveFrame]:
        """Yield the frames.

        Raises:
            ClipError: what ended the frames early, after all frames before it.
        """
        while True:
            with self._changed:
                while not self._ready and not self._has_ended and not self._stopped.is_set():
                    self._changed.wait(_WAIT_S)
                if self._stopped.is_set():
                    return
                if not self._ready:
                    break
                frame = self._ready.popleft()
                self._changed.notify_all()
            yield frame
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            started_s = time.monotonic()
            for frame in self._timed():
                if self._paced:
                    self.wait_s(max(0.0, started_s + frame.start_s - time.monotonic()))
                self._put(frame)
                if self._stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again where the frames are used
            self._error = error
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def _timed(self) -> Iterator[LiveFrame]:
        frames = iter(self._frames)
        while True:
            start_s = time.perf_counter()
            frame = next(frames, None)
            self.reading_s += time.perf_counter() - start_s
            if frame is None:
                return
            self.num_read += 1
            yield frame

    def _put(self, frame: LiveFrame) -> None:
        with self._changed:
            if self._drops:
                self.num_dropped += len(self._ready)
                self._ready.clear()
            while len(self._ready) >= _MAX_READY and not self._stopped.is_set():
                self._changed.wait(_WAIT_S)
            self._ready.append(frame)
            self._changed.notify_all()
