"""Launch files and the commands that submit them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autohier.errors import InputError
from autohier.files import write_atomically
from autohier.text import shell_words

PATH: Final = "{path}"
"""Word of a command that stands for the path of the launch file."""
PATH_OF_SECRET: Final = "{path of the secret}"  # noqa: S105  a place
"""Text in double quotes in a launch file that stands for the path of its secret."""
_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file next to a launch file that only its owner can read; an existing one stays."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class LaunchFile:
    """A file that starts a sweep on machines, and how it is handed over."""

    name: str
    content: str
    commands: tuple[tuple[str, ...], ...]
    """Commands that submit the file, one after the other; `PATH` stands for the path of the file."""
    needs: str
    """Hint if the program of the commands is missing."""
    folders: tuple[Path, ...] = ()
    """Folders on this machine that must exist before the file is submitted."""
    secret: SecretFile | None = None
    """Secret that the file names."""

    def commands_for(self, path: Path) -> list[list[str]]:
        """Return the commands that submit the launch file at a path."""
        return [[str(path) if word == PATH else word for word in command] for command in self.commands]

    def content_in(self, folder: Path) -> str:
        """Return the content of the file in a folder, with the path of its secret."""
        if self.secret is None:
            return self.content
        return self.content.replace(
            f'"{PATH_OF_SECRET}"', json.dumps(str((folder / self.secret.name).absolute()))
        )


def write(file: LaunchFile, folder: Path, *, overwrite: bool) -> Path:
    """Write a launch file into a folder, and return its path.

    Raises:
        InputError: if the folder holds a file of this name with another content.
        OSError: if the folder cannot be written.
    """
    path = folder / file.name
    content = file.content_in(folder).encode()
    if path.exists() and not overwrite and path.read_bytes() != content:
        raise InputError(
            "a launch file of this name exists, and its content differs",
            got=path,
            hint="add --overwrite, or choose --to",
        )
    if file.secret is not None and not (folder / file.secret.name).exists():
        write_atomically(folder / file.secret.name, file.secret.content.encode(), mode=_OWNER_ONLY)
    write_atomically(path, content)
    for each in file.folders:
        each.mkdir(parents=True, exist_ok=True)
    return path


def submit(file: LaunchFile, path: Path) -> None:
    """Submit a launch file; the commands print what they do.

    Raises:
        InputError: if a command is missing or fails.
    """
    for command in file.commands_for(path):
        _run(command, file.needs)


def _run(command: Sequence[str], needs: str) -> None:
    try:
        code = subprocess.run(command, check=False).returncode
    except FileNotFoundError as error:
        raise InputError(f"--submit needs {command[0]}", got="none in $PATH", hint=needs) from error
    if code:
        raise InputError(
            f"{shell_words(*command)} must succeed", got=f"exit code {code}", hint="see its message above"
        )
