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
    assign_folds,
    check_split_sizes,
    default_held_out,
    few_per_class,
    left_out_text,
    num_left_out_clips,
    num_shared_test_clips,
    published_split_sizes,
    split_clips,
)
from autohier.data.store.table import ClipTable
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


def test_split_lists_decide_the_part_of_a_clip() -> None:
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


def test_without_a_default_a_tenth_of_the_training_subjects_is_held_out() -> None:
    clips = table(list(range(40)), parts=[("train",)] * 30 + [("val",)] * 10)
    listed = Protocol("listed", "parts", ("train",), ("val",))
    held_out = default_held_out(clips, listed)
    assert len(held_out) == 3
    assert set(held_out) <= set(range(30))
    assert default_held_out(clips, listed) == held_out
    assert len(default_held_out(table([1, 2], parts=[("train",)] * 2), listed)) == 1


def test_listed_validates_on_the_clips_of_the_validation_lists() -> None:
    # A list may repeat training clips, as trainval does: they then validate and do not train.
    parts = [("trainval",), ("trainval", "val"), ("val",), ("test",), ()]
    clips = table([1, 1, 2, 3, 3], parts=parts)
    listed = Protocol("x", "parts", ("trainval",), ("test",), validation=("val",))
    split = split_clips(clips, listed, validation="listed", held_out=())
    assert split.train.tolist() == [0]
    assert split.validation.tolist() == [1, 2]
    assert split.test.tolist() == [3]
    assert split.training_on_all().train.tolist() == [0, 1, 2]


def test_listed_needs_a_validation_list() -> None:
    clips = table([1, 2, 3], parts=[("train",), ("train",), ("test",)])
    with pytest.raises(InputError, match="'listed' needs a validation list of x, but got none in the source"):
        split_clips(clips, Protocol("x", "parts", ("train",), ("test",)), validation="listed", held_out=())


def test_test_clips_whose_content_trains_are_counted_and_their_copies_dropped() -> None:
    # Subjects 1 and 3 train, 3 validates, 2 tests. Rows 0 and 5 are the same, and 1 and 3, and 4 and 6.
    clips = replace(table([1, 1, 1, 3, 3, 2, 2]), content=np.array([0, 1, 2, 1, 4, 0, 4]))
    two = Protocol("x", "subject", (1, 3), (2,))
    whole = split_clips(clips, two, validation="clean", held_out=(3,))
    assert num_shared_test_clips(clips, whole) == 2  # a refit trains on the validation clips, too
    dropped = split_clips(clips, two, validation="clean", held_out=(3,), drop_duplicates=True)
    assert dropped.train.tolist() == [2]
    assert dropped.validation.tolist() == [3]
    assert dropped.test.tolist() == whole.test.tolist() == [5, 6]
    assert num_shared_test_clips(clips, dropped) == 0
    # Rows 0 and 4, of which 4 would validate.
    assert num_left_out_clips(clips, two) == 2
    assert left_out_text(2) == (
        "duplicates: 2 training clips left out, which have the content of a test clip"
    )
    assert num_left_out_clips(replace(clips, content=None), two) == 0


def test_test_clips_that_validate_under_paper_do_not_count_as_copies() -> None:
    clips = replace(table([1] * 3 + [2] * 3), content=np.array([0, 1, 2, 3, 4, 0]))
    two = Protocol("x", "subject", (1,), (2,))
    split = split_clips(clips, two, validation="paper", held_out=(), drop_duplicates=True)
    assert split.train.tolist() == [1, 2]
    assert len(split.validation) == 1
    assert num_shared_test_clips(clips, split) == 0


def test_unknown_subjects_are_held_out_class_by_class() -> None:
    # Each clip is its own subject: classes of 100, 20 and 10 clips. Evenly spaced over the clips sorted by
    # class, a tenth of 130 is 13: 10, 2 and 1.
    labels = np.repeat([0, 1, 2], [100, 20, 10])
    rng = np.random.default_rng(0)
    order = rng.permutation(130)
    clips = replace(table(list(range(130)), parts=[("train",)] * 130), label=labels[order])
    listed = Protocol("listed", "parts", ("train",), ("test",))
    held_out = default_held_out(clips, listed)
    assert np.bincount(clips.label[list(held_out)]).tolist() == [10, 2, 1]
    folds = assign_folds(clips, listed, 5)
    assert sorted(value for fold in folds for value in fold) == list(range(130))
    for fold in folds:
        assert np.bincount(clips.label[list(fold)]).tolist() == [20, 4, 2]


@pytest.mark.parametrize("num_pairs", [1, 20, 60])
def test_splits_stay_class_by_class_if_some_clips_share_a_subject(num_pairs: int) -> None:
    # 130 clips of three classes; of the first, pairs share a subject: 130 - num_pairs subjects.
    labels = np.repeat([0, 1, 2], [120, 6, 4])
    subjects = [row // 2 if row < 2 * num_pairs else row for row in range(130)]
    clips = replace(table(subjects, parts=[("train",)] * 130), label=labels)
    listed = Protocol("listed", "parts", ("train",), ("test",))
    num_held_out = round((130 - num_pairs) / 10)
    held_out = default_held_out(clips, listed)
    assert len(held_out) == num_held_out
    # Evenly spaced over the subjects sorted by class: each class has its share, up to one.
    classes = np.array([labels[subjects.index(value)] for value in held_out])
    for label, num in enumerate((120 - num_pairs, 6, 4)):
        assert abs((classes == label).sum() - num_held_out * num / (130 - num_pairs)) < 1
    folds = assign_folds(clips, listed, 2)
    assert sorted(value for fold in folds for value in fold) == sorted(set(subjects))
    for fold in folds:
        assert np.bincount([labels[subjects.index(value)] for value in fold])[1:].tolist() == [3, 2]


def test_subjects_with_two_clips_each_are_known() -> None:
    clips = table([row // 2 for row in range(40)], parts=[("train",)] * 40)
    listed = Protocol("listed", "parts", ("train",), ("test",))
    assert assign_folds(clips, listed, 4) == [tuple(range(first, 20, 4)) for first in range(4)]


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

    def sampled(seed: int) -> list[int]:
        split = split_clips(clips, rule("demo", "cross-subject"), validation="paper", held_out=(), seed=seed)
        assert split.train.tolist() == list(range(20))
        assert split.test.tolist() == list(range(20, 60))
        return split.validation.tolist()  # type: ignore[no-any-return]

    assert len(set(sampled(0))) == 4
    assert set(sampled(0)) < set(range(20, 60))
    assert sampled(0) == sampled(0) == sorted(sampled(0))
    assert sampled(0) != sampled(1)


def test_paper_samples_the_same_clips_of_a_copy_with_missing_clips() -> None:
    def sampled(clips: ClipTable) -> set[str]:
        split = split_clips(clips, rule("demo", "cross-subject"), validation="paper", held_out=(), seed=0)
        return {clips.clip_id[row] for row in split.validation}

    whole = table([1] + [2] * 200)
    missing = {whole.clip_id[row] for row in (3, 77, 150)}
    present = tuple(clip_id for clip_id in whole.clip_id if clip_id not in missing)
    copy = replace(table([1] + [2] * 197), clip_id=present)
    # A tenth of 200 clips and of 197 clips is 20.
    assert sampled(whole) - missing <= sampled(copy)
    assert len(sampled(copy)) == len(sampled(whole)) == 20


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
            r"but got 2: choose some of 1, 3: --set 'protocol\.held_out=\[1\]'$",
        ),
        ("cross-subject", (), [1, 2, 3], r"but got none: choose"),
        ("cross-subject", (1, 3), [1, 2, 3], "the train part of cross-subject must contain clips"),
        (
            "cross-subject",
            (1,),
            [1, 2],
            "two subjects or more must train under cross-subject, .* got subject 1 alone: .* name no subject",
        ),
        ("cross-subject", (1,), [1, 3], "the test part of cross-subject must contain clips"),
    ],
)
def test_an_invalid_split_is_refused(
    protocol: str, held_out: tuple[int, ...], subjects: list[int], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        split_clips(table(subjects), rule("utd-mhad", protocol), validation="clean", held_out=held_out)


@pytest.mark.parametrize("dataset", PROTOCOLS)
def test_defaults_hold_out_training_subjects(dataset: str) -> None:
    for one in PROTOCOLS[dataset]:
        assert not set(one.train) & set(one.test)
        if one.default_held_out:
            assert default_held_out(table([1]), one) == one.default_held_out
        if one.held_out_column == one.column:
            assert set(one.default_held_out) < set(one.train)
            assert one.num_to_hold_out == len(one.train)


def test_only_sizes_that_differ_are_reported() -> None:
    assert check_split_sizes(table([1] * 431 + [2] * 430), "utd-mhad", PROTOCOLS["utd-mhad"]) == []
    assert check_split_sizes(table([1, 2]), "demo", PROTOCOLS["demo"]) == []  # nothing is published
    assert check_split_sizes(table([1] * 430 + [2] * 430), "utd-mhad", PROTOCOLS["utd-mhad"]) == [
        "utd-mhad cross-subject has 430 train / 430 test clips; published are 431 / 430 (all clips)"
    ]


def test_a_wrong_ntu_split_is_reported_with_both_published_sizes() -> None:
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
def test_sizes_of_a_complete_copy(
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
        ("cross-subject", (3,), r"subjects that train under cross-subject, but got 3"),
        ("cross-view", tuple(range(1, 18)), r"holds out some of the 17 setups, not all, but got 1, 2"),
        ("cross-set", (), "the protocol of ntu60 must be one of cross-subject, cross-view"),
    ],
)
def test_values_that_a_complete_copy_cannot_hold_out_are_refused(
    protocol: str, held_out: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        published_split_sizes(rule("ntu60", protocol), validation="clean", held_out=held_out)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(2, 6))
def test_folds_hold_out_every_training_subject_once(subjects: list[int], num_folds: int) -> None:
    cross_subject = rule("demo", "cross-subject")  # 1, 3, 5, 7 and 9 train
    trains = sorted({subject for subject in subjects if subject in cross_subject.train})
    if len(trains) < num_folds:
        reason = "two subjects or more" if len(trains) == 1 else f"num_folds must not .* {len(trains)} under"
        with pytest.raises(InputError, match=reason):
            assign_folds(table(subjects), cross_subject, num_folds)
        return
    folds = assign_folds(table(subjects), cross_subject, num_folds)
    assert sorted(subject for fold in folds for subject in fold) == trains
    assert len(folds) == num_folds
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


def test_few_clips_of_each_class_train_and_the_others_stay() -> None:
    # Rows 0 to 11 train: six of class 0, five of class 1, one of class 2. Row 12 validates, 13 tests.
    labels = np.array([0] * 6 + [1] * 5 + [2, 0, 0])
    clips = replace(table([1] * 12 + [3, 2]), label=labels)
    whole = split_clips(clips, Protocol("x", "subject", (1, 3), (2,)), validation="clean", held_out=(3,))
    few = few_per_class(clips, whole, 3, seed=4)
    assert np.bincount(labels[few.train]).tolist() == [3, 3, 1]
    assert few.train.tolist() == sorted(few.train.tolist())
    assert (few.validation.tolist(), few.test.tolist()) == ([12], [13])
    assert few_per_class(clips, whole, 3, seed=4).train.tolist() == few.train.tolist()
    assert {tuple(few_per_class(clips, whole, 3, seed=seed).train) for seed in range(9)} != {tuple(few.train)}
    fewer = few_per_class(clips, whole, 2, seed=4)
    assert set(fewer.train.tolist()) < set(few.train.tolist())
    assert few_per_class(clips, whole, 6, seed=4).train.tolist() == whole.train.tolist()


def test_few_clips_do_not_depend_on_those_that_are_missing() -> None:
    clips = table([1] * 8 + [3, 2])
    whole = split_clips(clips, Protocol("x", "subject", (1, 3), (2,)), validation="clean", held_out=(3,))
    few = few_per_class(clips, whole, 4, seed=0)
    other = next(row for row in whole.train.tolist() if row not in few.train)
    rest = replace(whole, train=whole.train[whole.train != other])
    assert few_per_class(clips, rest, 4, seed=0).train.tolist() == few.train.tolist()
