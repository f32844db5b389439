"""Files and folders are written atomically; pipes and devices are not opened."""

import os
import socket
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.files import check_new_file, open_regular, publish_folder, write_atomically


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


def test_a_folder_does_not_appear_if_its_block_fails(tmp_path):
    with pytest.raises(RuntimeError, match="half way"), publish_folder(tmp_path / "folder") as staging:
        (staging / "file").write_bytes(b"half")
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_the_first_published_folder_stays(tmp_path):
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


def test_a_new_file_must_not_exist(tmp_path: Path) -> None:
    check_new_file(tmp_path / "a", option="--file")
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match=r"^--file must name a file that does not .*/a, a file: choose"):
        check_new_file(tmp_path / "a", option="--file")
    with pytest.raises(InputError, match=rf", but got {tmp_path}, a folder: write --out {tmp_path}/NAME$"):
        check_new_file(tmp_path, option="--out")
