"""Ranks that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.training.rank_pool import RankPool, open_rank_pool


@pytest.fixture(scope="session")
def ranks() -> Iterator[RankPool]:
    """Four processes that act as ranks."""
    with open_rank_pool(4) as pool:
        yield pool
