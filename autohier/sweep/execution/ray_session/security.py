"""Closes a local Ray to other machines and other users: it listens on the loopback and asks for a token.

A user who can reach a Ray and has its token can run commands as the user who started it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autohier.sweep.execution.ray_session.private_state import (
    AUTHENTICATION,
    require_token,
    use_loopback_only,
)

TOKEN, TOKEN_PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
"""Variables of the environment: the token itself, or the path of its file."""
_OWN_FILES_ONLY = 0o077
_FOR_OTHERS = 0o077
"""Permission bits of a file's group and of all others."""


@contextmanager
def closed_to_others() -> Iterator[None]:
    """Have a Ray that starts in the block listen on the loopback only, with a token and private files.

    The mode of authentication stays as it is if the environment sets it; see `authentication_warning`.
    """
    require_token()
    if _asks_for_token():
        _protect_token()
    umask = os.umask(_OWN_FILES_ONLY)
    try:
        with use_loopback_only():
            yield
    finally:
        os.umask(umask)


def authentication_warning() -> str | None:
    """Return a warning if the environment turns off the authentication of a local Ray; None otherwise."""
    if _asks_for_token():
        return None
    return (
        f"{AUTHENTICATION}={os.environ[AUTHENTICATION]} turns off Ray's authentication: every user of this "
        f"machine can run commands as you while the sweep runs. Unset {AUTHENTICATION}."
    )


def read_umask() -> int:
    """Return the umask of this process."""
    umask = os.umask(_OWN_FILES_ONLY)
    os.umask(umask)
    return umask


def _asks_for_token() -> bool:
    return os.environ.get(AUTHENTICATION, "token").lower() == "token"


def _protect_token() -> None:
    """Have a token that only its owner can read: the user's own one, or a new one.

    If its file cannot be written or protected, this process and its children use a token without a file.
    """
    if os.environ.get(TOKEN):
        return
    given = os.environ.get(TOKEN_PATH)
    try:
        path = Path(given) if given else Path.home() / ".ray" / "auth_token"
        if given is None and not _has_content(path):
            _write_token(path)
        elif path.stat().st_mode & _FOR_OTHERS:
            path.chmod(0o600)
    except (OSError, RuntimeError):  # no home folder, a read-only one, or a file of another user
        os.environ[TOKEN] = secrets.token_hex(32)


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _write_token(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    # With its mode from the start: a file that is protected after its creation was readable for a moment.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
