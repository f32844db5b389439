"""Preparations of a few small clips, in shards of five."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.prepare.summary import PrepareSummary
from autohier.data.store.paths import SOURCE

CLIP_IDS = [
    f"S001C00{camera}P00{subject}R001A00{action}"
    for camera in (1, 2)
    for subject in (1, 2)
    for action in (1, 2, 3)
]


def run(source: Path, folder: Path, **options: Any) -> PrepareSummary:
    """Prepare a source of NTU-like clips into a folder, with small frames and one worker by default."""
    settings: dict[str, Any] = {"size_px": 32, "max_frames": 6, "num_workers": 1} | options
    return prepare_dataset(open_dataset("demo"), source, folder, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file under a folder, by its relative path, except the source's place."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SOURCE
    }
