"""``autohier init`` and ``autohier spaces NAME``: a search space to start from."""

from __future__ import annotations

import tomllib
from pathlib import Path

from autohier.config.search.loading import load_space
from support.command_line import Autohier


def test_it_prints_a_space_or_writes_it(autohier: Autohier, tmp_path: Path, tiny_data: Path) -> None:
    printed = autohier("init", "demo", "--data", tiny_data)
    assert (printed.code, printed.err) == (0, "")
    assert tomllib.loads(printed.out)["num_classes"] == 6
    file = tmp_path / "mine.toml"
    written = autohier("init", "demo", "--data", tiny_data, "--out", file)
    assert written.out == f"written to {file}; next: autohier search {file} --data {tiny_data}\n"
    assert file.read_text() == printed.out
    assert load_space(str(file)).dataset == "demo"
    again = autohier("init", "demo", "--data", tiny_data, "--out", file)
    assert again.error.startswith("--out must name a file that does not exist")


def test_a_dataset_that_is_not_prepared_is_an_error(autohier: Autohier, tmp_path: Path) -> None:
    ended = autohier("init", "ntu60", "--data", tmp_path)
    assert ended.code == 2
    assert ended.error.startswith("ntu60 is not prepared: no store at ")


def test_a_shipped_space_is_printed_as_it_is(autohier: Autohier, tmp_path: Path) -> None:
    printed = autohier("spaces", "ntu60")
    file = tmp_path / "mine.toml"
    file.write_text(printed.out)
    assert load_space(str(file)) == load_space("ntu60")
    assert autohier("spaces", "ntu6").error.startswith("unknown search space 'ntu6': did you mean 'ntu60'")


def test_the_name_of_a_dataset_in_place_of_a_space_says_how_to_get_one(autohier: Autohier) -> None:
    assert "'autohier init mine --out mine.toml' writes one" in autohier("search", "mine").error
