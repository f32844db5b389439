"""Source files of the demo dataset, generated instead of downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autohier.data.datasets.demo.generate import generate_demo

DEMO_SIZE_PX = 64


def generate_demo_source(
    data: Path, *, num_workers: int | None = None, on_progress: Callable[[int, int], None] | None = None
) -> Path:
    """Generate the missing files of the demo in ``<data>/demo-source`` and return that folder.

    Args:
        data: folder of all stores.
        num_workers: number of processes; None for one per usable core.
        on_progress: called with the clips generated so far and the number of clips.
    """
    source = data / "demo-source"
    generate_demo(source, num_workers=num_workers, progress=on_progress)
    return source
