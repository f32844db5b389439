"""Splits under each protocol, and the check of their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.protocols import PROTOCOLS, Protocol, find_protocol
from autohier.data.splits import (
    SplitSizes,
    check_split_sizes,
    deal_folds,
    default_held_out,
    published_split_sizes,
    split_clips,
)
from autohier.data.store.reader import ClipTable
from autohier.errors import InputError


def rule(dataset: str, protocol: str) -> Protocol:
    return find_protocol(dataset, PROTOCOLS[dataset], protocol)


def table(
    subject: list[int],
    camera: list[int] | None = None,
    setup: list[int] | None = None,
    parts: Sequence[tuple[str, ...]] | None = None,
) -> ClipTable:
    ones = [1] * len(subject)
    return ClipTable(
        clip_id=tuple(f"{row:06d}" for row in range(len(subject))),
        label=np.zeros(len(subject), dtype=np.int64),
        subject=np.array(subject),
        camera=np.array(camera or ones),
        setup=np.array(setup or ones),
        num_frames=np.array(ones),
        parts=tuple(parts or [()] * len(subject)),
    )


def test_listed_parts_say_where_a_clip_goes() -> None:
    clips = table(
        [1, 1, 2, 3, 3, 4],
        parts=[
            ("xsub_train", "xview_val"),
            ("xsub_train",),
            ("xsub_val",),
            (),
            ("xsub_train",),
            ("xview_val",),
        ],
    )
    listed = Protocol("xsub", "parts", ("xsub_train",), ("xsub_val",))
    split = split_clips(clips, listed, validation="clean", held_out=(3,))
    assert split.train.tolist() == [0, 1]
    assert split.validation.tolist() == [4]
    assert split.test.tolist() == [2]


def test_where_nobody_is_named_a_tenth_of_those_who_train_is_held_out() -> None:
    clips = table(list(range(40)), parts=[("train",)] * 30 + [("val",)] * 10)
    listed = Protocol("listed", "parts", ("train",), ("val",))
    held_out = default_held_out(clips, listed)
    assert len(held_out) == 3
    assert set(held_out) <= set(range(30))
    assert default_held_out(clips, listed) == held_out
    assert len(default_held_out(table([1, 2], parts=[("train",)] * 2), listed)) == 1


def test_clean_cross_subject_validates_on_held_out_training_subjects() -> None:
    clips = table([1, 2, 3, 4, 5, 6, 7, 8, 5, 1])
    split = split_clips(clips, rule("utd-mhad", "cross-subject"), validation="clean", held_out=(5,))
    assert split.train.tolist() == [0, 2, 6, 9]
    assert split.validation.tolist() == [4, 8]
    assert split.test.tolist() == [1, 3, 5, 7]


def test_clean_cross_view_validates_on_held_out_setups_of_the_training_cameras() -> None:
    clips = table([1] * 6, camera=[1, 2, 3, 1, 2, 3], setup=[5, 5, 5, 6, 6, 6])
    split = split_clips(clips, rule("ntu60", "cross-view"), validation="clean", held_out=(5,))
    assert split.train.tolist() == [4, 5]
    assert split.validation.tolist() == [1, 2]
    assert split.test.tolist() == [0, 3]


def test_paper_validates_on_a_tenth_of_the_test_clips_and_trains_on_all() -> None:
    clips = table([1] * 20 + [2] * 40)

    def drawn(seed: int) -> list[int]:
        split = split_clips(clips, rule("demo", "cross-subject"), validation="paper", held_out=(), seed=seed)
        assert split.train.tolist() == list(range(20))
        assert split.test.tolist() == list(range(20, 60))
        return split.validation.tolist()  # type: ignore[no-any-return]

    assert len(set(drawn(0))) == 4
    assert set(drawn(0)) < set(range(20, 60))
    assert drawn(0) == drawn(0) == sorted(drawn(0))
    assert drawn(0) != drawn(1)


def test_paper_draws_the_same_clips_of_a_copy_that_lacks_some() -> None:
    def drawn(clips: ClipTable) -> set[str]:
        split = split_clips(clips, rule("demo", "cross-subject"), validation="paper", held_out=(), seed=0)
        return {clips.clip_id[row] for row in split.validation}

    whole = table([1] + [2] * 200)
    lost = {whole.clip_id[row] for row in (3, 77, 150)}
    left = tuple(clip_id for clip_id in whole.clip_id if clip_id not in lost)
    copy = replace(table([1] + [2] * 197), clip_id=left)
    # Of 200 clips 20 are drawn, of 197 as many.
    assert drawn(whole) - lost <= drawn(copy)
    assert len(drawn(copy)) == len(drawn(whole)) == 20


@given(
    subjects=st.lists(st.integers(1, 12), min_size=1, max_size=40),
    validation=st.sampled_from(("clean", "paper")),
)
def test_clean_parts_never_share_a_clip_or_a_subject(
    subjects: list[int], validation: Literal["clean", "paper"]
) -> None:
    try:
        split = split_clips(
            table(subjects), rule("demo", "cross-subject"), validation=validation, held_out=(9,)
        )
    except InputError:
        return
    subject = np.array(subjects)
    train, valid, test = (set(subject[part]) for part in (split.train, split.validation, split.test))
    assert not train & test
    if validation == "clean":
        assert not train & valid
        assert not valid & test
    else:
        assert set(split.validation) <= set(split.test)


@pytest.mark.parametrize(
    ("protocol", "held_out", "subjects", "reason"),
    [
        (
            "cross-setup",
            (5,),
            [1, 2],
            "protocol of utd-mhad must be one of cross-subject, but got 'cross-setup'",
        ),
        (
            "cross-subject",
            (2,),
            [1, 2, 3],
            r"subjects that train under cross-subject, but got \(2,\): .* 1, 3",
        ),
        ("cross-subject", (), [1, 2, 3], r"but got \(\)"),
        ("cross-subject", (1, 3), [1, 2, 3], "the train part of cross-subject must hold clips"),
        (
            "cross-subject",
            (1,),
            [1, 2],
            "two subjects or more must train under cross-subject, .* got subject 1 alone: .* tell no subject",
        ),
        ("cross-subject", (1,), [1, 3], "the test part of cross-subject must hold clips"),
    ],
)
def test_what_cannot_be_split_is_refused(
    protocol: str, held_out: tuple[int, ...], subjects: list[int], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        split_clips(table(subjects), rule("utd-mhad", protocol), validation="clean", held_out=held_out)


@pytest.mark.parametrize("dataset", PROTOCOLS)
def test_defaults_hold_out_what_trains(dataset: str) -> None:
    for one in PROTOCOLS[dataset]:
        assert not set(one.train) & set(one.test)
        if one.default_held_out:
            assert default_held_out(table([1]), one) == one.default_held_out
        if one.held_out_column == one.column:
            assert set(one.default_held_out) < set(one.train)
            assert one.num_to_hold_out == len(one.train)


def test_sizes_that_agree_are_passed_in_silence_and_others_told() -> None:
    assert check_split_sizes(table([1] * 431 + [2] * 430), "utd-mhad", PROTOCOLS["utd-mhad"]) == []
    assert check_split_sizes(table([1, 2]), "demo", PROTOCOLS["demo"]) == []  # nothing is published
    assert check_split_sizes(table([1] * 430 + [2] * 430), "utd-mhad", PROTOCOLS["utd-mhad"]) == [
        "utd-mhad cross-subject has 430 train / 430 test clips; published are 431 / 430 (all clips)"
    ]


def test_a_wrong_ntu_split_is_told_with_both_published_sizes() -> None:
    clips = table([1] * 10 + [3] * 5, camera=[2] * 10 + [1] * 5)
    subject, view = check_split_sizes(clips, "ntu60", PROTOCOLS["ntu60"])
    assert "has 10 train / 5 test" in subject
    assert "40,320 / 16,560 (all clips) or 40,091 / 16,487" in subject
    assert "37,920 / 18,960 (all clips) or 37,646 / 18,932" in view


@pytest.mark.parametrize(
    ("dataset", "protocol", "validation", "held_out", "sizes"),
    [
        # 3 of 20 subjects of 40,320 clips; 2 of 17 setups of 37,920, 4,461.2; 1 of 4 subjects of 431, 107.75.
        ("ntu60", "cross-subject", "clean", (4, 19, 31), SplitSizes(34_272, 6_048, 16_560)),
        ("ntu60", "cross-view", "clean", (5, 14), SplitSizes(33_459, 4_461, 18_960)),
        ("utd-mhad", "cross-subject", "clean", (5,), SplitSizes(323, 108, 430)),
        # All clips train, and a tenth of 16,560 validates.
        ("ntu60", "cross-subject", "paper", (), SplitSizes(40_320, 1_656, 16_560)),
        ("demo", "cross-subject", "clean", (9,), None),
    ],
)
def test_what_a_complete_copy_holds(
    dataset: str,
    protocol: str,
    validation: Literal["clean", "paper"],
    held_out: tuple[int, ...],
    sizes: SplitSizes | None,
) -> None:
    found = published_split_sizes(rule(dataset, protocol), validation=validation, held_out=held_out)
    assert found == sizes


@pytest.mark.parametrize(
    ("protocol", "held_out", "reason"),
    [
        ("cross-subject", (3,), r"subjects that train under cross-subject, but got \(3,\)"),
        ("cross-view", tuple(range(1, 18)), r"holds out some of the 17 setups, but got \(1, 2"),
        ("cross-set", (), "the protocol of ntu60 must be one of cross-subject, cross-view"),
    ],
)
def test_what_no_complete_copy_can_hold_out_is_refused(
    protocol: str, held_out: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        published_split_sizes(rule("ntu60", protocol), validation="clean", held_out=held_out)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(2, 6))
def test_folds_hold_out_everybody_who_trains_once(subjects: list[int], num_folds: int) -> None:
    cross_subject = rule("demo", "cross-subject")  # 1, 3, 5, 7 and 9 train
    trains = sorted({subject for subject in subjects if subject in cross_subject.train})
    if len(trains) < num_folds:
        reason = "two subjects or more" if len(trains) == 1 else f"num_folds must not .* {len(trains)} under"
        with pytest.raises(InputError, match=reason):
            deal_folds(table(subjects), cross_subject, num_folds)
        return
    folds = deal_folds(table(subjects), cross_subject, num_folds)
    assert sorted(subject for fold in folds for subject in fold) == trains
    assert len(folds) == num_folds
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
