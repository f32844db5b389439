"""Given superclasses: search spaces and configs that can use them, and those that cannot."""

from __future__ import annotations

import re

import pytest

from autohier.config.search.loading import load_space
from autohier.core.stages.setup.given_superclasses import (
    require_given_level,
    require_samplable_level,
    sampled_levels,
)
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import InputError
from support.sources.tiny_clips import SPACE_FILE, tiny_config

PAIR = GivenSuperclasses("pair", (0, 0, 0, 0, 0, 1))
OTHER_PAIR = GivenSuperclasses("other pair", (0, 0, 0, 1, 1, 1))
QUARTET = GivenSuperclasses("quartet", (0, 0, 1, 1, 2, 3))
QUINTET = GivenSuperclasses("quintet", (0, 0, 1, 2, 3, 4))
CLASSES = GivenSuperclasses("class", (0, 1, 2, 3, 4, 5))
GIVEN, ALL = "hierarchy=given", "initial=[]"


@pytest.mark.parametrize(
    ("levels", "overrides", "error"),
    [
        # The tiny space samples the counts 2 and 3 at two levels, and has the initial config 2/3.
        ([PAIR], [GIVEN], None),
        ([PAIR, QUARTET], [GIVEN], None),
        ([QUARTET], [], None),
        ([QUARTET], [GIVEN, ALL, "search.counts=[3, 4, 5]"], None),
        (
            [QUARTET, QUINTET],
            [GIVEN],
            "5 of quintet), but got none among [2,3]: --set search.counts=[4,5] --set initial=[]",
        ),
        ([QUARTET, QUINTET], [GIVEN, ALL], "none among [2,3]: --set search.counts=[4,5]"),
        (
            [QUARTET],
            [GIVEN, ALL],
            "none among [2,3]: --set search.counts=[4] --set search.levels=1",
        ),
        ([PAIR], [GIVEN, ALL, "search.counts=[3, 4]"], "--set search.counts=[2] --set search.levels=1"),
        # A level must have fewer superclasses than classes.
        ([CLASSES], [GIVEN], "none among [2,3]: --set hierarchy=derived"),
    ],
)
def test_a_space_must_be_able_to_sample_a_given_level(
    levels: list[GivenSuperclasses], overrides: list[str], error: str | None
) -> None:
    space = load_space(str(SPACE_FILE), overrides)
    if error is None:
        require_samplable_level(space, levels)
        return
    with pytest.raises(InputError, match=re.escape(error) + "$") as caught:
        require_samplable_level(space, levels)
    # The space passes with the changes that the hint proposes.
    fixed = load_space(str(SPACE_FILE), [*overrides, *caught.value.hint.split("--set ")[1:]])
    require_samplable_level(fixed, levels)


def test_a_config_must_have_a_given_level() -> None:
    require_given_level(tiny_config(GIVEN, superclasses=(3, 4)), [QUARTET])
    require_given_level(tiny_config(superclasses=(2, 3)), [QUARTET])
    require_given_level(tiny_config(GIVEN, superclasses=()), [QUARTET])
    with pytest.raises(InputError, match=r"none among 2/3: --set superclasses=4/5$"):
        require_given_level(tiny_config(GIVEN), [QUINTET, QUARTET])
    with pytest.raises(InputError, match=r"none among 2/3: --set hierarchy=derived$"):
        require_given_level(tiny_config(GIVEN), [CLASSES])


def test_of_two_levels_with_equal_counts_the_first_is_used() -> None:
    assert sampled_levels([PAIR, OTHER_PAIR, QUARTET], (2, 3)) == [PAIR]
