"""Files of one clip: a single file, or a folder of frames."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def list_files(path: Path) -> list[tuple[Path, os.stat_result]]:
    """List the regular files at a path with their stat results; those of a folder are sorted by name.

    Returns:
        An empty list if the path cannot be listed; reading the clip then reports the error. Pipes and devices
        are left out.
    """
    try:
        files = [(file, file.stat()) for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    except OSError:
        return []
    return [(file, state) for file, state in files if stat.S_ISREG(state.st_mode)]
