"""Single flight: one process trains a stage while others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Leases(Protocol):
    """Grants a stage to one process at a time, so that trials that need the same stage train it once.

    A lease saves work; it is not a lock. A lease may expire while a process holds it: both processes then
    continue, because the stage store accepts the same stage from any number of processes. A process holds at
    most one lease at a time, so that processes cannot deadlock.
    """

    def hold(self, name: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold a lease while the block runs.

        Entering the block waits while another live process holds the lease. The lease is released when the
        block ends, also after an exception.

        Args:
            name: name of the stage, equal in all processes that need it.
            on_wait: called with the holder's display name before the wait, and again if another process gets
                the lease first. An exception that it raises ends the wait.
        """


class NoLeases:
    """Leases of a process that shares its stage store with no other. Implements `Leases`."""

    def hold(self, name: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Grant the lease at once; see `Leases`."""
        return nullcontext()


NO_LEASES = NoLeases()
