"""A search space as TOML: what is written reads back as the same space."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from autohier.config.search.loading import load_space, shipped_spaces
from autohier.config.search.toml_text import space_text


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_reads_back(name: str, tmp_path: Path) -> None:
    space = load_space(name)
    path = tmp_path / "space.toml"
    path.write_text(space_text(space), "utf-8")
    assert load_space(str(path)) == space


def test_any_text_reads_back() -> None:
    description = 'quotes " and \\, a tab \t, DEL \x7f and é'
    space = load_space("demo").model_copy(update={"description": description})
    assert tomllib.loads(space_text(space))["description"] == description
