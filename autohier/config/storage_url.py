"""Passwords of database URLs: kept out of every file, and taken from the environment or from a file.

A command line can be read by every user of the machine, e.g. with ``ps``, and a sweep keeps the one that
started it. The password therefore comes from `PASSWORD_VARIABLE`, or from the file that
`PASSWORD_FILE_VARIABLE` names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from autohier.errors import InputError
from autohier.files import open_regular

PASSWORD_VARIABLE: Final = "AUTOHIER_STORAGE_PASSWORD"  # noqa: S105  a name
PASSWORD_FILE_VARIABLE: Final = "AUTOHIER_STORAGE_PASSWORD_FILE"  # noqa: S105  a name
HOW_TO_PASS: Final = (
    f"set {PASSWORD_VARIABLE}, or {PASSWORD_FILE_VARIABLE} to the path of a file that only you can read"
)
PASSWORD_SHOWS: Final = "the list of processes shows all users of this machine the password in --storage"  # noqa: S105

_USER = re.compile(r"(?P<start>[\w+.-]+://[^:/?#@\s]*)(?P<password>:(?:[^/\s]*|[^@\s]*))@")
"""Start of a URL with a password, which may hold an unquoted @ or /."""
_SECRET = re.compile(
    r"(?P<start>[?&][^=&\s]*(?:pass|pwd|secret|token|credential)[^=&\s]*=)[^&\s]*", re.IGNORECASE
)


def without_password(text: str) -> str:
    """Return a URL, or a text that holds URLs, without passwords and other secrets."""
    return _SECRET.sub(r"\g<start>***", _USER.sub(r"\g<start>@", text))


def has_password(url: str) -> bool:
    """Return True if a URL holds a password."""
    return _USER.match(url) is not None


def check_no_other_secret(url: str) -> None:
    """Check that a URL holds no secret besides its password, which would be needed again to resume.

    Raises:
        InputError: if a parameter of the URL looks like a secret.
    """
    found = _SECRET.search(url)
    if found is not None:
        raise InputError(
            "--storage takes a password before the host, and no other secret",
            got=found["start"].lstrip("?&") + "***",
            hint=f"{HOW_TO_PASS}; write other secrets into the files of the database's driver",
        )


def with_password(url: str) -> str:
    """Return a URL with the password from the environment, unless it has one, or names no host.

    Raises:
        InputError: if the file of the password cannot be read.
    """
    password = _read_password()
    scheme, separator, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if password is None or not authority or has_password(url):
        return url
    user, at, _ = authority.rpartition("@")
    place = rest.removeprefix(user + at)
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{place}"


def _read_password() -> str | None:
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    path = os.environ.get(PASSWORD_FILE_VARIABLE)
    if not path:
        return None
    try:
        with open_regular(Path(path)) as file:
            return file.read().decode("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{PASSWORD_FILE_VARIABLE} must name a file with the password", got=error, hint="correct the path"
        ) from error
