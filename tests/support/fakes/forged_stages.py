"""Forged stages: folders of a store whose files were changed so that every digest in them matches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autohier.digest import digest, digest_file


def forge(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
    """Change the description of a stored stage, and write the digests of its present files into it.

    Args:
        folder: folder of the stage.
        change: changes the description in place.
    """
    path = folder / "stage.json"
    description = json.loads(path.read_text())["stage"]
    for name in description["files"]:
        file = folder / name
        description["files"][name] = {"bytes": file.stat().st_size, "sha256": digest_file(file)}
    change(description)
    path.write_text(json.dumps({"stage": description, "sha256": digest(description)}))
