"""Superclasses that come with the data: when a space or a setting that wants them can have any."""

from __future__ import annotations

import re

import pytest

from autohier.core.stages.given import drawn_levels, require_drawable, require_drawn
from autohier.data.levels import GivenLevel
from autohier.errors import InputError
from autohier.settings.loading import load_space
from tiny_clips import SPACE_FILE, tiny_setting

PAIR = GivenLevel("pair", (0, 0, 0, 0, 0, 1))
OTHER_PAIR = GivenLevel("other pair", (0, 0, 0, 1, 1, 1))
QUARTET = GivenLevel("quartet", (0, 0, 1, 1, 2, 3))
QUINTET = GivenLevel("quintet", (0, 0, 1, 2, 3, 4))
CLASSES = GivenLevel("class", (0, 1, 2, 3, 4, 5))
GIVEN, ALL = "hierarchy=given", "known=[]"


@pytest.mark.parametrize(
    ("levels", "overrides", "error"),
    [
        # The tiny space draws two counts of 2 and 3, and knows 2/3.
        ([PAIR], [GIVEN], None),
        ([PAIR, QUARTET], [GIVEN], None),
        ([QUARTET], [], None),
        ([QUARTET], [GIVEN, ALL, "search.counts=[3, 4, 5]"], None),
        (
            [QUARTET, QUINTET],
            [GIVEN],
            ", for hierarchy = 'given', but got none among [2,3]: --set search.counts=[4,5] --set known=[]",
        ),
        ([QUARTET, QUINTET], [GIVEN, ALL], "none among [2,3]: --set search.counts=[4,5]"),
        (
            [QUARTET],
            [GIVEN, ALL],
            "none among [2,3]: --set search.counts=[4] --set search.levels=1",
        ),
        ([PAIR], [GIVEN, ALL, "search.counts=[3, 4]"], "--set search.counts=[2] --set search.levels=1"),
        # No level may have as many superclasses as classes.
        ([CLASSES], [GIVEN], "none among [2,3]: --set hierarchy=derived"),
    ],
)
def test_a_space_must_be_able_to_draw_a_given_level(
    levels: list[GivenLevel], overrides: list[str], error: str | None
) -> None:
    space = load_space(str(SPACE_FILE), overrides)
    if error is None:
        require_drawable(space, levels)
        return
    with pytest.raises(InputError, match=re.escape(error) + "$") as caught:
        require_drawable(space, levels)
    # What the remedy says ends the complaint.
    mended = load_space(str(SPACE_FILE), [*overrides, *caught.value.remedy.split("--set ")[1:]])
    require_drawable(mended, levels)


def test_a_single_run_must_have_a_given_level() -> None:
    require_drawn(tiny_setting(GIVEN, superclasses=(3, 4)), [QUARTET])
    require_drawn(tiny_setting(superclasses=(2, 3)), [QUARTET])
    require_drawn(tiny_setting(GIVEN, superclasses=()), [QUARTET])
    with pytest.raises(InputError, match=r"none among 2/3: --set superclasses=4/5$"):
        require_drawn(tiny_setting(GIVEN), [QUINTET, QUARTET])
    with pytest.raises(InputError, match=r"none among 2/3: --set hierarchy=derived$"):
        require_drawn(tiny_setting(GIVEN), [CLASSES])


def test_of_two_levels_with_as_many_superclasses_one_is_drawn() -> None:
    assert drawn_levels([PAIR, OTHER_PAIR, QUARTET], (2, 3)) == [PAIR]
