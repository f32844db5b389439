"""The book of leases: who may compute which stage, and until when. It knows nothing of Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks for leases: a trial of a sweep, whatever process it runs in at present."""

    sweep: str
    """The sweep's folder."""
    trial: str

    def called_by(self, other: Holder) -> str:
        """How the other one calls this one: "t0003", and in another sweep "t0003 of NAME"."""
        return self.trial if self.sweep == other.sweep else f"{self.trial} of {Path(self.sweep).name}"


@dataclass(frozen=True, slots=True)
class Lease:
    """A holder's right to compute one stage."""

    holder: Holder
    number: int
    """Rises with every lease that is granted, so that a process and the one that replaced it differ."""


class LeaseBook:
    """Grants leases; one process keeps it, all others ask.

    Args:
        quiet_s: seconds at the start in which leases are renewed and none is granted: a book that replaces
            a lost one hears first which leases that one had granted.
        clock: seconds, from any start.
    """

    def __init__(self, quiet_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opens_at = clock() + quiet_s
        self._last_number = 0
        self._leases: dict[str, tuple[Lease, float]] = {}
        """By name of the stage, each with the time it ends."""

    def take(self, name: str, holder: Holder, ttl_s: float) -> Lease | None:
        """Ask for a lease.

        A holder that holds it already gets a new one at once: its process died and was started again.

        Returns:
            The lease that holds now: the asker's, or that of somebody else, who is to be waited for. None
            where nobody has it and nothing is granted yet.
        """
        lease = self._living(name)
        if lease is not None and lease.holder != holder:
            return lease
        if lease is None and self._clock() < self._opens_at:
            return None
        return self._keep(name, Lease(holder, self._last_number + 1), ttl_s)

    def renew(self, name: str, lease: Lease, ttl_s: float) -> Lease:
        """Ask for more time; a lease that ran out is given back where nobody took it.

        Returns:
            The lease that holds now: another one where the asker's is lost.
        """
        living = self._living(name) or lease
        return self._keep(name, lease, ttl_s) if living == lease else living

    def release(self, name: str, lease: Lease) -> None:
        """End a lease; nothing happens where it is lost already."""
        if self._living(name) == lease:
            del self._leases[name]

    def give_up(self, holder: Holder) -> None:
        """End all leases of a holder whose process died."""
        self._leases = {name: kept for name, kept in self._leases.items() if kept[0].holder != holder}

    def _living(self, name: str) -> Lease | None:
        lease, ends_at = self._leases.get(name, (None, 0.0))
        return lease if self._clock() < ends_at else None

    def _keep(self, name: str, lease: Lease, ttl_s: float) -> Lease:
        self._last_number = max(self._last_number, lease.number)
        self._leases[name] = (lease, self._clock() + ttl_s)
        return lease
