"""Objects other than files in the place of a file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final


def _socket(path: Path) -> None:
    folder = Path.cwd()
    os.chdir(path.parent)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(folder)


def _unreadable(path: Path) -> None:
    path.touch(mode=0)


def _recursive_folder(path: Path) -> None:
    path.mkdir()
    (path / path.name).symlink_to(path)


PLACES: Final[dict[str, Callable[[Path], object]]] = {
    "a folder": Path.mkdir,
    "a recursive folder": _recursive_folder,
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "nothing": lambda _: None,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to(path.with_name("gone")),
    "a link to a folder": lambda path: path.symlink_to(path.parent),
    "a link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "a link to a device that is empty": lambda path: path.symlink_to("/dev/null"),
    "a link to this process's memory": lambda path: path.symlink_to("/proc/self/mem"),
    "an unreadable file": _unreadable,
}
