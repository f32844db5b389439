"""Digests: canonical JSON and its sha256, the names of everything content-addressed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from autohier.errors import InputError

_BLOCK_BYTES = 1 << 20


def canonical_json(value: object) -> str:
    """The one JSON text of a value: keys sorted, no blanks, floats by shortest round trip.

    Raises:
        InputError: where the value holds NaN, an infinity or something JSON has no form for.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    except (ValueError, TypeError) as error:
        raise InputError("a value that names a stage must be finite JSON", got=error) from error


def digest(value: object) -> str:
    """Sha256 of a value's canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()


def digest_file(path: Path) -> str:
    """Sha256 of a file's bytes, read in blocks of 1 MiB, as 64 hexadecimal digits."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def derive_seed(*parts: object) -> int:
    """A seed in [0, 2**31) that depends on every part and on nothing else.

    Independent streams come from distinct parts, e.g. ``derive_seed(seed, "epoch", 3)``.
    """
    return int(digest([str(part) for part in parts])[:8], 16) >> 1
