"""Tests of the paths of 2D weights in stored settings."""

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.weights_files import (
    convert_weights,
    find_starts,
    relocate_weights,
    require_weights,
)
from autohier.errors import MissingDataError

OVERRIDES = (
    "recognizer.weights=/w/own.pth",
    "search.variants={plain={}, other={recognizer={name='inflated-resnet34', weights='/w/variant.pth'}}}",
    "search.settings={'recognizer.weights'=['/w/own.pth', '/w/searched.pth']}",
    "initial=[]",
)


def test_every_path_of_weights_in_a_space_is_found() -> None:
    values = load_space("demo", OVERRIDES[:2] + OVERRIDES[3:]).model_dump(mode="json")
    searched = load_space("demo", (OVERRIDES[0], *OVERRIDES[2:])).model_dump(mode="json")
    found: list[str] = []

    def rename(path: str) -> str:
        found.append(path)
        return f"new{path}"

    for space in (values, searched):
        changed = convert_weights(space, rename)
        assert convert_weights(changed, lambda path: path.removeprefix("new")) == space
    assert sorted(set(found)) == ["/w/own.pth", "/w/searched.pth", "/w/variant.pth"]


def test_settings_without_weights_stay() -> None:
    space = load_space("demo").model_dump(mode="json")
    assert convert_weights(space, lambda _: "changed") == space
    for odd in (
        None,
        3,
        "text",
        ["text"],
        {"recognizer": 3},
        {"recognizer": {"weights": None}},
        {"recognizer.start": ""},
    ):
        assert convert_weights(odd, lambda _: "changed") == odd


def test_missing_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    values = {"recognizer": {"weights": str(path)}}
    with pytest.raises(
        MissingDataError,
        match=r"the 2D weights of mine must exist, but got nothing at .*own\.pth: put the file there "
        r"again, or name it, or its folder, with --pretrained",
    ):
        require_weights("mine", values)
    path.touch()
    require_weights("mine", values)


def test_only_missing_weights_are_those_that_the_user_names(tmp_path: Path) -> None:
    kept, moved = tmp_path / "kept.pth", tmp_path / "new" / "moved.pth"
    moved.parent.mkdir()
    kept.touch()
    moved.touch()
    values = {
        "recognizer": {"weights": str(kept)},
        "recognizer.weights": [str(tmp_path / "old" / "moved.pth")],
    }
    expected = values | {"recognizer.weights": [str(moved)]}
    for given in (moved, moved.parent):
        assert relocate_weights(values, given) == expected


def test_starts_are_found_relocated_and_required_like_weights(tmp_path: Path) -> None:
    stage = tmp_path / "new" / "abc"
    stage.mkdir(parents=True)
    table = "search.settings={'recognizer.start'=['/old/abc', '/old/other.pth']}"
    values = load_space("demo", ("recognizer.start=/old/abc", table, "initial=[]")).model_dump(mode="json")
    assert find_starts(values) == ("/old/abc", "/old/other.pth")
    with pytest.raises(MissingDataError, match=r"the starting weights of mine must exist.*--pretrained"):
        require_weights("mine", values)
    (tmp_path / "new" / "other.pth").touch()
    require_weights("mine", relocate_weights(values, tmp_path / "new"))
    assert find_starts(relocate_weights({"recognizer": {"start": "/old/abc"}}, stage)) == (str(stage),)
