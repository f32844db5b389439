"""Joining a running Ray cluster: distinguishes one that does not run from one that asks for a token."""

from __future__ import annotations

import os
import socket

from autohier.errors import InputError
from autohier.sweep.execution.ray_session.private_state import AUTHENTICATION
from autohier.sweep.execution.ray_session.security import TOKEN, TOKEN_PATH

_CONNECT_TIMEOUT_S = 20.0
_REFUSED = ("InvalidAuthToken", "Unauthenticated", "AuthenticationError")
"""Texts of Ray's errors without a token, or with another one than the cluster's."""


def require_listener(address: str) -> None:
    """Check that a process listens at the address, since Ray itself would try for a quarter of an hour.

    Raises:
        InputError: if nothing listens there.
    """
    host, separator, port = address.rpartition(":")
    if not separator:
        return  # e.g. "auto"
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError, ValueError) as error:
        raise _unreachable(f"{address} ({error})") from error


def join_error(address: str, error: BaseException) -> InputError:
    """Return the error for the user after Ray could not join a cluster whose head listens."""
    text = " ".join(f"{type(each).__name__}: {each}" for each in _chain(error))
    return _no_token(address) if any(part in text for part in _REFUSED) else _unreachable(address)


def _chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_chain(error.__cause__ or error.__context__)]


def _unreachable(address: str) -> InputError:
    return InputError("--ray-address must be a reachable Ray cluster", got=address, hint="start it first")


def _no_token(address: str) -> InputError:
    rule = f"the Ray cluster at {address} runs and asks for its token"
    if os.environ.get(AUTHENTICATION, "").lower() != "token":
        return InputError(
            rule,
            got=f"no {AUTHENTICATION}=token here",
            hint=f"set {AUTHENTICATION}=token, and {TOKEN_PATH} to the cluster's token file, here and for "
            "'ray start' on every machine; 'ray start --head' asks for ~/.ray/auth_token, if a local Ray has "
            "left one",
        )
    used = TOKEN if os.environ.get(TOKEN) else os.environ.get(TOKEN_PATH, "~/.ray/auth_token")
    return InputError(
        rule,
        got=f"another token, or none, from {used}",
        hint=f"set {TOKEN_PATH} to the token file of its head",
    )
