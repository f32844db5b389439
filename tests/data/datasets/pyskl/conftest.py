"""A small pickle in PYSKL's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.sources.tiny_pyskl import SPLIT, annotation, write_pyskl


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with three clips and the lists of one protocol."""
    return write_pyskl(tmp_path / "Some_Poses.pkl", [annotation(name, 4) for name in "abc"], SPLIT)
