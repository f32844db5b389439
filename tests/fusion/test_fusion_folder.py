"""The folder of a new fusion: a full disk leaves its name free."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.fusion.paths import FusionFolder, free_fusion


def test_an_empty_folder_leaves_the_name_free(tmp_path: Path) -> None:
    (tmp_path / "fusions" / "both").mkdir(parents=True)
    assert free_fusion("both", tmp_path) == FusionFolder(tmp_path / "fusions" / "both")


@pytest.mark.parametrize("name", ["fusion.json", "notes"])
def test_a_folder_with_content_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "fusions" / "both"
    folder.mkdir(parents=True)
    (folder / name).touch()
    with pytest.raises(InputError, match=r"must not exist, or be empty, but got .*/both: choose another"):
        free_fusion("both", tmp_path)


def test_something_else_of_the_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fusions").mkdir()
    (tmp_path / "fusions" / "both").symlink_to("gone")
    with pytest.raises(InputError, match="must not exist, or be empty"):
        free_fusion("both", tmp_path)


@pytest.mark.parametrize("content", [b"7", b"[]", b"[" * 100_000, b'{"a"', b"\xff"])
def test_a_damaged_description_is_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    folder = FusionFolder(tmp_path / "both")
    folder.path.mkdir()
    folder.file.write_bytes(content)
    with pytest.raises(InputError, match=r"fusion\.json must be a fusion's description, but got"):
        folder.read()


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fusion.json")
    with pytest.raises(InputError, match="a pipe, a socket or a device"):
        FusionFolder(tmp_path).read()
