"""What names tell of who acts, and what users hear where they do not."""

from __future__ import annotations

from autohier.data.datasets.naming import clip_numbers, remark_unnamed


def test_names_tell_who_acts() -> None:
    ntu = clip_numbers(["S017C003P040R002A060", "S001C001P008R001A001"])
    assert [tuple(numbers) for numbers in ntu.values()] == [(40, 3, 17, 2), (8, 1, 1, 1)]
    assert tuple(clip_numbers(["a01_s05_e02_v03"])["a01_s05_e02_v03"]) == (5, 3, 1, 2)
    gym = clip_numbers(["vid2_E_01_02_A_0_1", "vid1_E_01_02_A_0_1", "vid2_E_09_10_A_0_1", "else"])
    # Sorted: else, vid1, vid2.
    assert [numbers.subject for numbers in gym.values()] == [3, 2, 3, 1]


def test_that_nobody_knows_who_acts_is_told() -> None:
    def told(*clip_ids: str) -> list[str]:
        return [remark.text.partition(";")[0] for remark in remark_unnamed(clip_ids)]

    assert told("b", "vid1_E_01_02_A_0_1", "a") == ["the names of 2 of 3 clips do not tell who acts, e.g. a"]
    assert told("v_Drumming_g01_c01", "vid1_E_01_02_A_0_1") == []
