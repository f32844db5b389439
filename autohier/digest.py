"""Digests of values and files, which name everything that is addressed by content, and derived seeds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from autohier.errors import InputError

_BLOCK_BYTES = 1 << 20


def canonical_json(value: object) -> str:
    """Return the canonical JSON of a value: sorted keys, no blanks, shortest round-trip floats.

    Raises:
        InputError: if the value holds NaN, an infinity or an object that JSON cannot represent.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    except (ValueError, TypeError) as error:
        raise InputError("a value that names a stage must be finite JSON", got=error) from error


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read in blocks of 1 MiB, as 64 hexadecimal digits."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**31) that depends only on the parts.

    Distinct parts give independent random streams, e.g. ``derive_seed(seed, "epoch", 3)``.
    """
    return int(digest([str(part) for part in parts])[:8], 16) >> 1
