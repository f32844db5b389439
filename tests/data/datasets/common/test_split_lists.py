"""Protocols from lists of clips, and warnings about the other lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.split_lists import list_protocols
from autohier.data.datasets.registry import open_dataset
from autohier.errors import InputError
from support.command_line import Autohier
from support.sources.tiny_pyskl import annotation, write_pyskl


def protocols(**lists: str) -> dict[str, tuple[str, str]]:
    """Return the two lists of each protocol; clips are letters."""
    listed = list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd"))
    return {rule.name: (*rule.train, *rule.test) for rule in listed.protocols}


def warnings(**lists: str) -> list[DatasetWarning]:
    return list(
        list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd")).warnings
    )


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"xsub_train": "ab", "xsub_val": "c"}, {"xsub": ("xsub_train", "xsub_val")}),
        ({"train": "ab", "val": "c"}, {"train-val": ("train", "val")}),
        ({"train": "a", "val": "b", "test": "c"}, {"train-val": ("train", "test")}),
        (
            {"train2": "ab", "test2": "c", "train1": "b", "test1": "c"},
            {"2": ("train2", "test2"), "1": ("train1", "test1")},
        ),
        ({"x_train": "a"}, {"x": ("x_train", "x_val")}),
        ({"x_test": "a"}, {"x": ("x_train", "x_test")}),
        ({"train3": "a"}, {"3": ("train3", "test3")}),
        ({"fold": "a"}, {"fold": ("fold", "fold_val")}),
    ],
)
def test_paired_lists_are_a_protocol(
    tmp_path: Path, split: dict[str, str], expected: dict[str, tuple[str, str]]
) -> None:
    entries = [annotation(name, 0) for name in "abc"]
    path = write_pyskl(tmp_path / "x.pkl", entries, {name: list(ids) for name, ids in split.items()})
    reader = open_dataset("pyskl", source=path)
    assert {rule.name: (*rule.train, *rule.test) for rule in reader.protocols} == expected
    listed = {clip.clip_id: set(clip.parts) for clip in reader.find_clips(path)}
    for name, ids in split.items():
        assert {clip_id for clip_id, parts in listed.items() if name in parts} == set(ids)
    derived = {part for parts in listed.values() for part in parts} - set(split)
    for name in derived:  # contains all clips that its counterpart does not
        assert {clip_id for clip_id, parts in listed.items() if name in parts} == {"b", "c"}


def test_more_than_100_lists_are_refused() -> None:
    lists = [f"{fold}_train" for fold in range(101)]
    with pytest.raises(InputError, match="a source must have at most 100 lists of clips, but got 101"):
        protocols(**dict.fromkeys(lists, "a"))


def test_empty_lists_are_named() -> None:
    with pytest.raises(InputError, match=r"must not be empty, but got no clip in test, val: add clips"):
        protocols(train="ab", test="", val="")


@pytest.mark.parametrize("split", [{"train": ["a", "b", "c"]}])
def test_lists_without_training_and_test_clips_are_refused(
    tmp_path: Path, split: dict[str, list[str]]
) -> None:
    path = write_pyskl(tmp_path / "x.pkl", [annotation(name, 0) for name in "abc"], split)
    with pytest.raises(InputError, match="names of lists must say which clips train and which test, but got"):
        open_dataset("pyskl", source=path)


def test_a_clip_must_not_both_train_and_test(tmp_path: Path) -> None:
    split = {"train": ["a", "b"], "val": ["b", "c"]}
    path = write_pyskl(tmp_path / "x.pkl", [annotation(name, 0) for name in "abc"], split)
    text = r"^protocol train-val is skipped: .*, but 1 are listed in train and val, e\.g\. b: remove them"
    with pytest.raises(InputError, match=text):
        open_dataset("pyskl", source=path)


def test_lists_that_share_a_clip_do_not_affect_others() -> None:
    lists = {"x_train": "ab", "x_val": "bc", "y_train": "ab", "y_val": "cd"}
    assert protocols(**lists) == {"y": ("y_train", "y_val")}
    (warning,) = warnings(**lists)
    assert warning.text.startswith(
        "protocol x is skipped: a clip must not both train and test, but 1 are listed"
    )


@pytest.mark.parametrize(
    ("train", "test", "protocol"),
    [
        ("train", "validation", "train-val"),
        ("Train", "Test", "train-val"),
        ("Train", "Val", "train-val"),
        ("TRAINING", "Testing", "train-val"),
        ("trainval", "test", "train-val"),
        ("train_val", "test", "train-val"),
        ("train", "eval", "train-val"),
        ("train", "valid", "train-val"),
        ("train_1", "test_1", "1"),
        ("train-1", "val-1", "1"),
        ("xsub-train", "xsub-val", "xsub"),
        ("xsub/train", "xsub/val", "xsub"),
        ("xsub.train", "XSub val", "xsub"),
        ("train_xsub", "xsub_test", "xsub"),
        ("train_split", "val_split", "split"),
        ("my_train_1", "my_test_1", "my_1"),
        # Two lists that share no clip, of which one has a role in its name.
        ("train", "held out", "train-val"),
        ("the rest", "test", "train-val"),
        ("xsub_train", "val", "xsub"),
    ],
)
def test_roles_are_found_in_many_spellings(train: str, test: str, protocol: str) -> None:
    for lists in ({train: "ab", test: "cd"}, {test: "cd", train: "ab"}):
        assert protocols(**lists) == {protocol: (train, test)}
        assert warnings(**lists) == []


@pytest.mark.parametrize("name", ["trainer", "retrain", "my_testbed", "validity", "contest", "train2test"])
def test_words_that_contain_a_role_have_none(name: str) -> None:
    assert protocols(**{name: "ab"}) == {name: (name, f"{name}_val")}


def test_unused_lists_cause_a_warning() -> None:
    lists = {"val": "c", "Test": "d", "trainval": "abc", "train": "ab"}
    assert protocols(**lists) == {"train-val": ("train", "Test")}
    text = "protocol train-val trains on train and tests on Test; trainval is not used"
    assert warnings(**lists) == [DatasetWarning(text)]
    # An empty list is not used.
    assert protocols(train="ab", val="c", test="") == {"train-val": ("train", "val")}


@pytest.mark.parametrize(
    ("lists", "validation"),
    [
        ({"train": "ab", "val": "c", "test": "d"}, ("val",)),
        ({"xsub_train": "ab", "xsub_valid": "c", "xsub_test": "d"}, ("xsub_valid",)),
        ({"train": "ab", "val": "c"}, ()),  # val tests
        ({"train": "ab", "val": "cd", "test": "d"}, ()),  # shares a clip with the test list
        ({"train": "ab", "val": "", "test": "d"}, ()),
    ],
)
def test_a_validation_list_next_to_a_test_list_validates(
    lists: dict[str, str], validation: tuple[str, ...]
) -> None:
    listed = list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd"))
    assert [rule.validation for rule in listed.protocols] == [validation]
    is_unused = len(lists) == 3 and not validation
    assert [one.text for one in listed.warnings] == (
        ["protocol train-val trains on train and tests on test; val is not used"] if is_unused else []
    )


def test_two_lists_that_share_clips_or_a_role_are_no_pair() -> None:
    assert protocols(train="ab", other="b") == {
        "train-val": ("train", "val"),
        "other": ("other", "other_val"),
    }
    assert protocols(a_train="ab", b_train="c") == {"a": ("a_train", "a_val"), "b": ("b_train", "b_val")}
    assert protocols(a_test="ab", b_test="c") == {"a": ("a_train", "a_test"), "b": ("b_train", "b_test")}


def test_derived_lists_cause_a_warning_and_their_protocols_are_last() -> None:
    lists = {"validation": "d", "split1_train": "ab", "split1_test": "cd"}
    listed = list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd"))
    assert [rule.name for rule in listed.protocols] == ["split1", "train-val"]
    # A derived list has no published size.
    assert [len(rule.published) for rule in listed.protocols] == [1, 0]
    assert listed.warnings == (
        DatasetWarning(
            "protocol train-val has no training list: the clips that are not in validation are used",
            "add a list named train if they should not be",
        ),
    )
    assert warnings(Train_1="ab") == [
        DatasetWarning(
            "protocol 1 has no test list: the clips that are not in Train_1 are used",
            "add a list named val_1 if they should not be",
        )
    ]


def test_commands_print_warnings_about_derived_lists(tmp_path: Path, autohier: Autohier) -> None:
    entries = [annotation(name, number) for number, name in enumerate("ab")]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a"]})
    text = "protocol train-val has no test list: the clips that are not in train are used"
    checked = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert checked.code == 0
    assert "train-val: 1 train / 1 test clips\n" in checked.out
    assert f"\nWARNING: {text}\n  fix: add a list named val if they should not be\n" in checked.out
    prepared = autohier("prepare", "pyskl", "--source", path, "--data", tmp_path / "data", "--workers", 1)
    assert f"\nWARNING: {text}: add a list named val if they should not be\n" in prepared.out


def test_commands_print_validation_lists_and_warnings_about_unused_lists(
    tmp_path: Path, autohier: Autohier
) -> None:
    entries = [annotation(name, number % 2) for number, name in enumerate("abcde")]
    split = {"train": ["a", "b"], "val": ["c"], "test": ["d"], "eval": ["e"]}
    path = write_pyskl(tmp_path / "x.pkl", entries, split)
    text = "protocol train-val trains on train and tests on test; eval is not used"
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert (
        f"\ntrain-val: 2 train / 1 validation / 1 test clips (as listed), 1 in neither\n{text}" in ended.out
    )


def test_listed_ids_without_an_annotation_cause_a_warning(tmp_path: Path, autohier: Autohier) -> None:
    entries = [annotation(name, 0) for name in ("S001", "S002", "S003")]
    path = tmp_path / "x.pkl"
    write_pyskl(path, entries, {"train": ["S001.avi", "v/S002.avi"], "val": ["S003.avi"]})
    with pytest.raises(
        InputError,
        match=r"^3 of 3 listed ids have no .*, e\.g\. 'S001\.avi'; the nearest annotation is 'S001': use the",
    ):
        open_dataset("pyskl", source=path)
    write_pyskl(path, entries, {"train": ["S001", "v/S002.avi"], "val": ["S003"]})
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    text = "1 of 3 listed ids have no annotation, e.g. 'v/S002.avi'; the nearest annotation is 'S002'"
    assert f"WARNING: {text}\n" in ended.out
    assert "FAULT: x train-val has 1 train / 1 test clips; listed are 2 / 1" in ended.out
    assert "\n  fix: add the listed clips that are missing, or remove them from the lists\n" in ended.out
    assert "published" not in ended.out
    # Without a similar id, the next in sorted order.
    write_pyskl(path, entries, {"train": ["S001", "S0025"], "val": ["S003", "T"]})
    warning, *_ = open_dataset("pyskl", source=path).warnings
    assert (
        "2 of 4 listed ids have no annotation, e.g. 'S0025'; the nearest annotation is 'S003'" in warning.text
    )
