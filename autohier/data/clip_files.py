"""The files of one clip: a file, or a folder of frames."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def list_files(path: Path) -> list[tuple[Path, os.stat_result]]:
    """The files at a path with their states, a folder's in the order of their names.

    Returns:
        None of them where they cannot be listed, and no pipes or devices: reading the clip will say why.
    """
    try:
        files = [(file, file.stat()) for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    except OSError:
        return []
    return [(file, state) for file, state in files if stat.S_ISREG(state.st_mode)]
