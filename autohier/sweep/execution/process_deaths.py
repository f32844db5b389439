"""Ray's errors for processes that it killed itself, as deaths like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import OutOfMemoryError, RayActorError


@contextmanager
def deaths_by_memory() -> Iterator[None]:
    """Raise RayActorError if Ray's memory monitor killed the process that should answer.

    Ray kills processes of a machine whose memory is 95% full. It reports them by an OutOfMemoryError, which
    is no RayActorError, unlike those of processes that died in any other way.
    """
    try:
        yield
    except OutOfMemoryError as error:
        reason = str(error).partition("\n")[0]
        raise RayActorError(error_msg=f"the machine ran low on memory: {reason}") from error
