"""Who computes a stage while others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Leases(Protocol):
    """Grants a stage to one process at a time, so that trials which need the same stage train it once.

    A lease spares work and guards nothing: it may be lost to somebody else while it is held, and its
    holder goes on then, as the stage store takes the same stage from any number of processes. A process
    holds one lease at a time and asks for no other while it does; so nobody waits in a circle.
    """

    def hold(self, name: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold a lease while the block runs.

        Entering waits for as long as somebody else holds the lease and lives. It is released when the
        block ends, however it ends.

        Args:
            name: of the stage, the same for all who need it.
            on_wait: called, before waiting, with what people call the holder; again where another one gets
                the lease first. What it raises ends the wait.
        """


class NoLeases:
    """Of a process that is alone with its store. Implements Leases."""

    def hold(self, name: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """See Leases."""
        return nullcontext()


NO_LEASES = NoLeases()
