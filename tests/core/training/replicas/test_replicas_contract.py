"""Contract suite of replicas: one process alone, and groups of two and three processes over gloo."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autohier.core.training.replicas import SOLO, Replicas
from support.training.rank_pool import RankPool
from support.training.replica_work import exchange

WIDTHS = {"alone": 1, "gloo of two": 2, "gloo of three": 3}


@pytest.fixture(scope="module", params=WIDTHS)
def exchanged(request: pytest.FixtureRequest, ranks: RankPool) -> list[dict[str, Any]]:
    """Return what the operations gave on every rank."""
    return ranks.run(WIDTHS[request.param], exchange)


def test_ranks_are_numbered_from_zero(exchanged: list[dict[str, Any]]) -> None:
    assert [each["rank"] for each in exchanged] == list(range(len(exchanged)))
    assert {each["width"] for each in exchanged} == {len(exchanged)}


def test_a_sum_is_over_all_ranks_and_in_place(exchanged: list[dict[str, Any]]) -> None:
    total = sum(range(1, len(exchanged) + 1))
    for each in exchanged:
        assert each["sum"] == [[total, total]] * 3  # of a tensor that is not contiguous
        assert each["in place"]
        assert each["integers"] == [total, 2**40 * len(exchanged)]


def test_rows_are_gathered_in_the_order_of_ranks(exchanged: list[dict[str, Any]]) -> None:
    # Rank r passes r rows.
    expected = [[rank + 1] * 2 for rank in range(len(exchanged)) for _ in range(rank)]
    for each in exchanged:
        assert each["rows"] == expected
        assert each["no rows"] == (0, 2)
        assert each["not finite"][0] == torch.inf
        assert each["not finite"][1] != each["not finite"][1]


def test_every_rank_gets_the_same_bits(exchanged: list[dict[str, Any]]) -> None:
    assert len({each["bits"] for each in exchanged}) == 1


def test_rank_0_shares_bytes_and_tensors(exchanged: list[dict[str, Any]]) -> None:
    for each in exchanged:
        assert each["content"] == b"of rank 0"
        assert each["empty"] == b""
        assert each["tensors"] == [[1.0, 1.0], 1, [[1, 1]] * 3]


def test_one_process_alone_is_a_replica() -> None:
    alone: Replicas = SOLO
    assert (alone.rank, alone.width) == (0, 1)
