"""Files and folders are there whole or not at all; what is no file is not waited for."""

import os
import socket

import pytest

from autohier.files import open_regular, publish_folder, write_atomically


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


def test_pipes_sockets_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("pipe", "device", "socket"):
            with pytest.raises(OSError, match="a pipe, a socket or a device"):
                open_regular(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"
