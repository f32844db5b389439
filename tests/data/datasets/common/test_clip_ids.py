"""Parsing of subjects, cameras and setups from clip ids, and the warning about ids without them."""

from __future__ import annotations

import pytest

from autohier.data.datasets.common.clip_ids import clip_numbers, warn_unnamed


def test_subjects_cameras_and_setups_are_parsed() -> None:
    ntu = clip_numbers(["S017C003P040R002A060", "S001C001P008R001A001"])
    assert [tuple(numbers) for numbers in ntu.values()] == [(40, 3, 17, 2), (8, 1, 1, 1)]
    assert tuple(clip_numbers(["a01_s05_e02_v03"])["a01_s05_e02_v03"]) == (5, 3, 1, 2)
    gym = clip_numbers(["vid2_E_01_02_A_0_1", "vid1_E_01_02_A_0_1", "vid2_E_09_10_A_0_1", "other"])
    # Sorted: other, vid1, vid2.
    assert [numbers.subject for numbers in gym.values()] == [3, 2, 3, 1]


def test_ids_without_a_subject_cause_a_warning() -> None:
    def texts(*clip_ids: str) -> list[str]:
        return [warning.text.partition(";")[0] for warning in warn_unnamed(clip_ids)]

    assert texts("b", "vid1_E_01_02_A_0_1", "a") == ["the names of 2 of 3 clips contain no subject, e.g. a"]
    assert texts("v_Drumming_g01_c01", "vid1_E_01_02_A_0_1") == []


@pytest.mark.parametrize(
    ("clip_ids", "subjects"),
    [
        (["s01_e01_walk", "s10_e02_walk", "s01_e02_sit"], [1, 10, 1]),
        (["a01_s03_e01_sdepth", "a02_s07_e01_sdepth"], [3, 7]),
        # Clips cut from one video are one group. Sorted: April, Brush.
        (
            ["Brush_x_u_nm_np1_ba_goo_0", "April_09_x_u_cm_np2_fr_med_1", "April_09_x_u_nm_np1_ba_goo_2"],
            [2, 1, 1],
        ),
        (["zz-abc_defg_000010_000020", "0-abc_defgh_000001_000011", "zz-abc_defg_000030_000040"], [2, 1, 2]),
    ],
)
def test_names_of_public_datasets_give_subjects_or_videos(clip_ids: list[str], subjects: list[int]) -> None:
    assert [numbers.subject for numbers in clip_numbers(clip_ids).values()] == subjects
    assert warn_unnamed(clip_ids) == ()


def test_the_hint_names_what_the_reader_reads() -> None:
    def hint(**options: str) -> str:
        (warning,) = warn_unnamed(["a", "b"], **options)  # type: ignore[arg-type]
        return warning.hint

    assert hint() == "list them in subjects.csv with the columns clip and subject, or add --subject-pattern"
    assert "add a column subject to clips.csv" in hint(table="clips.csv")
