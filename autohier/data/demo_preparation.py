"""The demo, from nothing to a store: generate its files, then prepare them like any dataset's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autohier.data.datasets.demo.generate import generate_demo
from autohier.data.datasets.demo_reader import demo_reader
from autohier.data.preparation import PrepareProgress, PrepareSummary, prepare_dataset
from autohier.data.store.paths import store_folder

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


def prepare_demo(
    data: Path,
    *,
    num_workers: int | None = None,
    generating: Callable[[int, int], None] | None = None,
    preparing: Callable[[PrepareProgress], None] | None = None,
) -> PrepareSummary:
    """Generate the demo and prepare it into ``<data>/demo`` as ``autohier prepare demo`` does.

    What exists of either is kept: a second call finishes a first that was stopped, or does nothing.

    Args:
        data: the folder of all stores.
        num_workers: processes; None for one per usable core.
        generating: called with the clips generated and the clips in all.
        preparing: called with the progress of the preparation.

    Raises:
        InputError: as `prepare_dataset` does.
    """
    source = generate_demo_source(data, num_workers=num_workers, progress=generating)
    folder = store_folder(data, "demo", None)
    return prepare_dataset(
        demo_reader(), source, folder, size_px=DEMO_SIZE_PX, num_workers=num_workers, progress=preparing
    )
