"""Treats Ray's errors for processes that its memory monitor killed as deaths of the actor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import OutOfMemoryError, RayActorError


@contextmanager
def deaths_by_memory() -> Iterator[None]:
    """Raise RayActorError inside the block if Ray's memory monitor killed the process that should answer.

    Ray kills processes of a machine whose memory is 95% full. It then raises OutOfMemoryError, which is no
    RayActorError, although it raises RayActorError for actors that died in any other way.
    """
    try:
        yield
    except OutOfMemoryError as error:
        reason = str(error).partition("\n")[0]
        raise RayActorError(error_msg=f"the machine ran low on memory: {reason}") from error
