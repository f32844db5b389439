"""Waiting for something that must happen, also on a machine that is many times slower or busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 600
"""How long a test waits before it fails. Only a test that fails waits as long as this."""


def wait_until(holds: Callable[[], object], what: str, *, pause_s: float = 0.02) -> None:
    """Wait until a condition holds; fail with a description of it if it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(pause_s)
