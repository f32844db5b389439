"""Groups of processes: how they open, and what happens to the others if one rank fails."""

from __future__ import annotations

import pytest
import torch

from autohier.core.training.replicas import SOLO
from autohier.core.training.replicas.process_group import open_replicas
from autohier.errors import InputError, LostProcessError
from support.training.rank_pool import RankPool, open_rank_pool
from support.training.replica_work import exchange, fail_at

CPU = torch.device("cpu")


def test_a_width_of_one_is_one_process_alone() -> None:
    with open_replicas(0, 1, "nowhere:1", device=CPU, timeout_s=1) as replicas:
        assert replicas is SOLO


@pytest.mark.parametrize("address", ["localhost", ":80", "localhost:", "localhost:http"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with (
        pytest.raises(InputError, match='is "host:port", but got'),
        open_replicas(0, 2, address, device=CPU, timeout_s=1),
    ):
        pass


def test_a_rank_lies_below_the_width() -> None:
    with (
        pytest.raises(InputError, match="between 0 and the width, but got rank 2 of 2"),
        open_replicas(2, 2, "localhost:1", device=CPU, timeout_s=1),
    ):
        pass


def test_a_group_whose_other_ranks_do_not_join_is_given_up() -> None:
    with (
        pytest.raises(LostProcessError, match=r"process group within 0\.2 s, but got rank 0 of 2 at "),
        open_replicas(0, 2, "127.0.0.1:0", device=CPU, timeout_s=0.2),
    ):
        pass


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_raises_ends_the_others_with_its_error(ranks: RankPool, rank: int) -> None:
    outcomes = ranks.outcomes(3, fail_at, rank, "raise")
    assert type(outcomes.pop(rank)) is MemoryError
    for outcome in outcomes:
        assert isinstance(outcome, LostProcessError)
        assert outcome.rule == "all processes that train a stage must take part in every step"
    if rank:  # rank 0 holds the table of reasons
        assert outcomes[0].got == "rank 1 failed with MemoryError: no memory here"


def test_a_rank_that_does_nothing_ends_the_others_after_the_timeout(ranks: RankPool) -> None:
    outcomes = ranks.outcomes(3, fail_at, 1, "hang", timeout_s=3)
    assert outcomes[1] is None
    assert isinstance(outcomes[0], LostProcessError)
    assert isinstance(outcomes[2], LostProcessError)


def test_the_ranks_of_a_failed_group_can_form_another(ranks: RankPool) -> None:
    ranks.outcomes(2, fail_at, 1, "raise")
    assert [each["rank"] for each in ranks.run(2, exchange)] == [0, 1]


def test_a_rank_that_dies_ends_the_others() -> None:
    with open_rank_pool(2) as pool:
        outcomes = pool.outcomes(2, fail_at, 1, "die")
    assert isinstance(outcomes[0], LostProcessError)
    assert isinstance(outcomes[1], EOFError)
