"""Setting entries of a stage store aside, so that no reader sees a part of them."""

from __future__ import annotations

import errno
import uuid
from pathlib import Path


def set_aside(path: Path, quarantine: Path, name: str) -> Path:
    """Move an entry of a store out of the way of its readers; return its new path.

    Args:
        path: folder, file or symbolic link of the entry; what a link points to is not touched.
        quarantine: folder to move it to. If that lies on another file system, e.g. because a kind's folder is
            a symbolic link, the entry stays in its own folder under a hidden name.
        name: kind and key of the entry, with a hyphen between them.

    Raises:
        FileNotFoundError: if another process was faster.
        OSError: if the entry may not be moved.
    """
    unique = uuid.uuid4().hex[:8]
    aside = quarantine / f"{name}-{unique}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        return path.rename(aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return path.rename(path.with_name(f".{path.name}.{unique}.tmp"))
