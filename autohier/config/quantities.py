"""Large counts as people write them, e.g. "2G" multiply-adds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PositiveInt

_SIZES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_COUNT: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kMGT]?)")


def _parse_count(value: Any) -> Any:  # noqa: ANN401  pydantic checks what is no text
    if not isinstance(value, str):
        return value
    match = _COUNT.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} must be a count such as 2G, 500M or 1500000")
    return round(float(match[1]) * _SIZES[match[2]])


Count = Annotated[PositiveInt, BeforeValidator(_parse_count)]
"""Positive number, or text such as "2G", "1.5 G", "500M" or "20k", in powers of 1000."""
