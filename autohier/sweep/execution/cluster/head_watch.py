"""The watch over the head of a Ray cluster: ends the sweep if it is lost; Ray would wait forever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray
from ray.exceptions import RayError

from autohier.errors import LostHeadError
from autohier.sweep.execution.signals import StopRequest

_POLL_S = 2.0
_SILENCE_S = 60.0
"""Time without an answer after which the head counts as lost; a restarted one answers within it."""
_JOIN_S = 1.0


def _ask_ray() -> None:
    ray.nodes()


@contextmanager
def watched_head(
    address: str, resume_command: str, stop: StopRequest, ask: Callable[[], None] = _ask_ray
) -> Iterator[None]:
    """End the sweep if the head of the cluster stops answering while the block runs.

    Args:
        address: of the head, for the error.
        resume_command: continues the sweep, for the error.
        stop: ends the sweep, also if the main thread waits for Ray.
        ask: asks the head for something; returns after the answer.
    """
    watch = _Watch(ask)
    error = LostHeadError(
        "the head of the Ray cluster must answer",
        got=f"nothing from {address} for {_SILENCE_S:.0f} s",
        hint=f"start Ray again, then run '{resume_command}': finished trials and stages are kept",
    )
    threads = [
        threading.Thread(target=watch.keep_asking, daemon=True),
        threading.Thread(target=watch.wait_for_silence, args=(lambda: stop.fail(error),), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        watch.ended.set()
        for thread in threads:
            thread.join(_JOIN_S)


class _Watch:
    """Asks in one thread, which a lost head blocks, and looks at the clock in another."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._answered_at = time.monotonic()
        self.ended = threading.Event()

    def keep_asking(self) -> None:
        """Ask until the watch ends."""
        while not self.ended.wait(_POLL_S):
            try:
                self._ask()
            except (RayError, OSError, RuntimeError, ValueError):  # what Ray raises if its head is lost
                continue
            self._answered_at = time.monotonic()

    def wait_for_silence(self, on_silence: Callable[[], None]) -> None:
        """Call a function once the head has not answered for too long, unless the watch ends before."""
        while not self.ended.wait(_POLL_S):
            if time.monotonic() - self._answered_at > _SILENCE_S:
                on_silence()
                return
