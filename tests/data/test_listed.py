"""Lists of clips: which of them make a protocol, and what is said of those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.datasets.listed import list_protocols
from autohier.data.datasets.reader import Remark
from autohier.data.datasets.registry import open_dataset
from autohier.errors import InputError
from command_line import Autohier
from tiny_pyskl import annotation, write_pyskl


def divided(**lists: str) -> dict[str, tuple[str, str]]:
    """Each protocol's two lists, of clips named by letters."""
    found = list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd"))
    return {rule.name: (*rule.train, *rule.test) for rule in found.protocols}


def remarked(**lists: str) -> list[Remark]:
    return list(
        list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd")).remarks
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
def test_lists_that_go_together_are_a_protocol(
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
    for name in derived:  # holds all that its only counterpart does not
        assert {clip_id for clip_id, parts in listed.items() if name in parts} == {"b", "c"}


def test_more_lists_than_anybody_divides_by_are_refused() -> None:
    lists = [f"{fold}_train" for fold in range(101)]
    with pytest.raises(InputError, match="clips must be divided by at most 100 lists, but got 101"):
        divided(**dict.fromkeys(lists, "a"))


@pytest.mark.parametrize("split", [{}, {"train": []}, {"train": ["a", "b", "c"]}])
def test_without_clips_on_both_sides_there_is_no_protocol(
    tmp_path: Path, split: dict[str, list[str]]
) -> None:
    path = write_pyskl(tmp_path / "x.pkl", [annotation(name, 0) for name in "abc"], split)
    with pytest.raises(InputError, match="lists must say which clips train and which test, but got"):
        open_dataset("pyskl", source=path)


def test_a_clip_must_not_both_train_and_test(tmp_path: Path) -> None:
    split = {"train": ["a", "b"], "val": ["b", "c"]}
    path = write_pyskl(tmp_path / "x.pkl", [annotation(name, 0) for name in "abc"], split)
    told = r"^train-val is left out, as .*, but 1 are listed in train and val, e\.g\. b: take them out"
    with pytest.raises(InputError, match=told):
        open_dataset("pyskl", source=path)


def test_lists_that_share_a_clip_leave_the_others_be() -> None:
    lists = {"x_train": "ab", "x_val": "bc", "y_train": "ab", "y_val": "cd"}
    assert divided(**lists) == {"y": ("y_train", "y_val")}
    (remark,) = remarked(**lists)
    assert remark.text.startswith("x is left out, as a clip must not both train and test, but 1 are listed")


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
        # Two lists without a clip in common, of which one says what it does.
        ("train", "held out", "train-val"),
        ("the rest", "test", "train-val"),
        ("xsub_train", "val", "xsub"),
    ],
)
def test_names_say_who_trains_in_many_ways(train: str, test: str, protocol: str) -> None:
    for lists in ({train: "ab", test: "cd"}, {test: "cd", train: "ab"}):
        assert divided(**lists) == {protocol: (train, test)}
        assert remarked(**lists) == []


@pytest.mark.parametrize("name", ["trainer", "retrain", "my_testbed", "validity", "contest", "train2test"])
def test_words_that_only_look_like_it_say_nothing(name: str) -> None:
    assert divided(**{name: "ab"}) == {name: (name, f"{name}_val")}


def test_of_several_lists_of_one_role_one_is_taken_and_the_others_are_told() -> None:
    lists = {"val": "c", "Test": "d", "trainval": "abc", "train": "ab"}
    assert divided(**lists) == {"train-val": ("train", "Test")}
    text = "under train-val the list train trains and Test tests, val, trainval does neither: "
    assert remarked(**lists) == [Remark(text + "validation is drawn from training clips")]
    # An empty list of the role is not taken.
    assert divided(train="ab", val="c", test="") == {"train-val": ("train", "val")}


def test_two_lists_with_common_clips_or_of_one_role_are_no_pair() -> None:
    assert divided(train="ab", other="b") == {"train-val": ("train", "val"), "other": ("other", "other_val")}
    assert divided(a_train="ab", b_train="c") == {"a": ("a_train", "a_val"), "b": ("b_train", "b_val")}
    assert divided(a_test="ab", b_test="c") == {"a": ("a_train", "a_test"), "b": ("b_train", "b_test")}


def test_what_no_list_tells_is_said_and_comes_last() -> None:
    lists = {"validation": "d", "split1_train": "ab", "split1_test": "cd"}
    found = list_protocols({name: frozenset(ids) for name, ids in lists.items()}, frozenset("abcd"))
    assert [rule.name for rule in found.protocols] == ["split1", "train-val"]
    # What nobody listed is not as listed.
    assert [len(rule.published) for rule in found.protocols] == [1, 0]
    assert found.remarks == (
        Remark(
            "under train-val no list tells who trains: the clips that validation does not name do",
            "unless that is meant, add a list named train",
        ),
    )
    assert remarked(Train_1="ab") == [
        Remark(
            "under 1 no list tells who tests: the clips that Train_1 does not name do",
            "unless that is meant, add a list named val_1",
        )
    ]


def test_commands_say_what_no_list_tells(tmp_path: Path, autohier: Autohier) -> None:
    entries = [annotation(name, number) for number, name in enumerate("ab")]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a"]})
    told = "under train-val no list tells who tests: the clips that train does not name do"
    checked = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert checked.code == 0
    assert "train-val: 1 train / 1 test clips\n" in checked.out
    assert f"\nWARNING: {told}\n  mend: unless that is meant, add a list named val\n" in checked.out
    prepared = autohier("prepare", "pyskl", "--source", path, "--data", tmp_path / "data", "--workers", 1)
    assert f"\nWARNING: {told}: unless that is meant, add a list named val\n" in prepared.out


def test_commands_say_which_list_does_nothing(tmp_path: Path, autohier: Autohier) -> None:
    entries = [annotation(name, number % 2) for number, name in enumerate("abcd")]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a", "b"], "val": ["c"], "test": ["d"]})
    told = "under train-val the list train trains and test tests, val does neither: validation is drawn"
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert f"\ntrain-val: 2 train / 1 test clips, as listed, 1 clips do neither\n{told}" in ended.out


def test_listed_ids_are_those_of_annotations(tmp_path: Path, autohier: Autohier) -> None:
    entries = [annotation(name, 0) for name in ("S001", "S002", "S003")]
    path = tmp_path / "x.pkl"
    write_pyskl(path, entries, {"train": ["S001.avi", "v/S002.avi"], "val": ["S003.avi"]})
    with pytest.raises(
        InputError,
        match=r"^3 of 3 listed ids name no .*, e\.g\. 'S001\.avi', to which 'S001' is nearest: write",
    ):
        open_dataset("pyskl", source=path)
    write_pyskl(path, entries, {"train": ["S001", "v/S002.avi"], "val": ["S003"]})
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    told = (
        "1 of 3 listed ids name no annotation, e.g. 'v/S002.avi', to which 'S002' is nearest\n  mend: write"
    )
    assert f"WARNING: {told}" in ended.out
    assert "FAULT: x train-val has 1 train / 1 test clips; listed are 2 / 1" in ended.out
    assert "\n  mend: add what the lists name and is missing, or take it out of them\n" in ended.out
    assert "published" not in ended.out
    # Where nothing is alike, the next in their order.
    write_pyskl(path, entries, {"train": ["S001", "S0025"], "val": ["S003", "T"]})
    remark, *_ = open_dataset("pyskl", source=path).remarks
    assert "2 of 4 listed ids name no annotation, e.g. 'S0025', to which 'S003' is nearest" in remark.text
