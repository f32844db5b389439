"""Format versions of the JSON files that autohier writes, and the refusal of other versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from autohier.errors import InputError

SWEEP_FORMAT: Final = 2
"""Format of ``sweep.json``; autohier 0.1 wrote no version, which counts as 1."""
FUSION_FORMAT: Final = 2
"""Format of ``fusion.json``."""
MODEL_FORMAT: Final = 1
"""Format of the ``model.json`` of an exported model."""

_WRITERS: Final = {1: "0.1"}
"""Versions of autohier by the format that they write."""


def check_format(content: Mapping[str, object], *, expected: int, path: Path) -> None:
    """Check that a file has the format that this version of autohier reads.

    Args:
        content: parsed JSON, with the format in ``version``.
        expected: format that can be read.
        path: the file, for errors.

    Raises:
        InputError: if an older or a newer version of autohier wrote the file.
    """
    found = content.get("version", 1)
    if found == expected:
        return
    writer = _WRITERS.get(found) if isinstance(found, int) else None
    if writer is None:
        raise InputError(
            f"{path} must have format {expected}", got=found, hint="read it with the autohier that wrote it"
        )
    raise InputError(f"{path} was written by autohier {writer}", hint=f"read it with autohier {writer}")
