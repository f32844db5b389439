"""Large counts as people write them."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from autohier.config.quantities import Count

COUNTS: TypeAdapter[int] = TypeAdapter(Count)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2G", 2_000_000_000),
        ("1.5 G", 1_500_000_000),
        ("500M", 500_000_000),
        ("20k", 20_000),
        ("7", 7),
        (7, 7),
    ],
)
def test_counts_are_in_powers_of_1000(text: object, count: int) -> None:
    assert COUNTS.validate_python(text) == count


@pytest.mark.parametrize("text", ["2 GB", "G", "-2G", "2g", "", "1e9"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a count such as 2G, 500M or 1500000"):
        COUNTS.validate_python(text)


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        COUNTS.validate_python("0M")
