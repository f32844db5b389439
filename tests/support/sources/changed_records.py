"""Changed records of a clip store, as an earlier version, which kept no digests, might have written them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_values(path: Path) -> dict[str, Any]:
    """Return the values of a record, without its digest."""
    values: dict[str, Any] = json.loads(path.read_bytes())
    values.pop("record_sha256", None)
    return values


def change_record(path: Path, **changes: object) -> None:
    """Replace values of a record, and leave its digest out."""
    path.write_text(json.dumps(read_values(path) | changes, indent=1))
