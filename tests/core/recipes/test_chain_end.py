"""The end of a chain: by the stop rule, or after all passes if the search minimizes multiply-adds, too."""

from __future__ import annotations

import pytest

from autohier.config.search.loading import load_space
from autohier.core.recipes.chain import chain_end
from support.fakes.fake_outcomes import PARAMS

FALLING = (0.9, 0.8, 0.7, 0.6)
"""Pass 2 and three pruning passes, of which the first two end a chain by the stop rule."""


@pytest.mark.parametrize(
    ("overrides", "ratio", "num_passes"),
    [
        ([], 0.1, 2),
        (["search.second_objective=multiply-adds"], 0.1, 3),
        (["search.second_objective=multiply-adds"], 0.0, 2),  # nothing gets cheaper
    ],
)
def test_a_chain_that_gets_cheaper_has_all_its_passes(
    overrides: list[str], ratio: float, num_passes: int
) -> None:
    space = load_space("demo", overrides)
    params = PARAMS.model_copy(update={"ratio": ratio})
    ends = chain_end(space.config(params, seed=0))
    lengths = [length for length in range(1, len(FALLING) + 1) if ends(FALLING[:length])]
    assert lengths[0] == num_passes + 1


def test_none_is_a_word_for_one_objective() -> None:
    space = load_space("demo", ["search.second_objective=none"])
    assert space.search.second_objective is None
    assert space == load_space("demo")
