"""The demo's own files, generated where they lie as a download would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autohier.data.datasets.demo.generate import generate_demo

DEMO_SIZE_PX = 64


def generate_demo_source(
    data: Path, *, num_workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Generate what is missing of the demo into ``<data>/demo-source``, and return that folder.

    Args:
        data: the folder of all stores.
        num_workers: processes; None for one per usable core.
        progress: called with the clips generated and the clips in all.
    """
    source = data / "demo-source"
    generate_demo(source, num_workers=num_workers, progress=progress)
    return source
