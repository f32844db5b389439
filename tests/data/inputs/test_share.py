"""Shares of a batch: every clip belongs to one rank, and its numbers do not depend on the number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.inputs.share import WHOLE, Share
from autohier.data.transforms.tensors.clip_random import ClipRandom


def test_a_process_alone_reads_the_whole_batch() -> None:
    assert WHOLE.positions(3).tolist() == [0, 1, 2]
    (part,) = WHOLE.parts_of(3)
    assert (part.start, part.first, part.num_own, part.num_clips) == (0, 0, 3, 3)


@pytest.mark.parametrize(
    ("width", "slices"),
    [
        (2, [range(3), range(3, 5)]),
        (4, [range(2), range(2, 3), range(3, 4), range(4, 5)]),
        (6, [range(1), range(1, 2), range(2, 3), range(3, 4), range(4, 5), range(5, 5)]),
    ],
)
def test_slices_differ_by_at_most_one(width: int, slices: list[range]) -> None:
    assert [Share(rank, width).slice_of(5) for rank in range(width)] == slices


def test_every_part_is_sliced_over_the_ranks() -> None:
    # Parts of seven clips: 0 1 2, 3 4 5 and 6.
    assert Share(0, 2, parts=3).positions(7).tolist() == [0, 1, 3, 4, 6]
    assert Share(1, 2, parts=3).positions(7).tolist() == [2, 5]
    last = Share(1, 2, parts=3).parts_of(7)[2]
    assert (last.first, last.num_own, last.num_clips) == (1, 0, 1)


def test_a_rank_without_clips_reads_the_first() -> None:
    assert Share(2, 3).positions(2).tolist() == [0]


@given(num_clips=st.integers(1, 40), width=st.integers(1, 6), parts=st.integers(1, 9))
def test_parts_are_those_of_one_process(num_clips: int, width: int, parts: int) -> None:
    whole = torch.arange(num_clips).chunk(parts)
    shares = [Share(rank, width, parts).parts_of(num_clips) for rank in range(width)]
    for index, part in enumerate(whole):
        own = [share[index] for share in shares]
        rows = [row for each in own for row in range(each.start, each.start + each.num_own)]
        assert rows == part.tolist()
        assert [each.first for each in own] == [each.start - int(part[0]) for each in own]
        assert {each.num_clips for each in own} == {len(part)}


def test_numbers_of_a_clip_do_not_depend_on_the_clips_that_are_read() -> None:
    def sample(positions: list[int] | None) -> list[torch.Tensor]:
        own = None if positions is None else torch.tensor(positions)
        random = ClipRandom(torch.Generator().manual_seed(1), 5, own)
        return [
            random.uniform(),
            random.uniform(2),
            random.uniform_sets(3, 2).movedim(0, 1),
            random.integers(0, 99),
        ]

    whole = sample(None)
    for positions in ([0, 1], [4], [1, 3]):
        for own, every in zip(sample(positions), whole, strict=True):
            assert torch.equal(own, every[np.array(positions)])
