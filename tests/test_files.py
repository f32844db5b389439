"""Files and folders are there whole or not at all."""

import pytest

from autohier.files import publish_folder, write_atomically


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_folder_appears_when_its_block_ends(tmp_path):
    path = tmp_path / "folder"
    with publish_folder(path) as staging:
        (staging / "file").write_bytes(b"content")
        assert not path.exists()
    assert (path / "file").read_bytes() == b"content"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_folder_does_not_appear_where_its_block_fails(tmp_path):
    with pytest.raises(RuntimeError, match="half way"), publish_folder(tmp_path / "folder") as staging:
        (staging / "file").write_bytes(b"half")
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_who_publishes_first_wins(tmp_path):
    path = tmp_path / "folder"
    with publish_folder(path) as slow:
        (slow / "file").write_bytes(b"second")
        with publish_folder(path) as quick:
            (quick / "file").write_bytes(b"first")
    assert (path / "file").read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
