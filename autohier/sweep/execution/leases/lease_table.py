"""The table of leases: which trial may compute which stage, and until when. Independent of Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """Holder of leases: a trial of a sweep, regardless of the process it runs in."""

    sweep: str
    """Folder of the sweep."""
    trial: str

    def called_by(self, other: Holder) -> str:
        """Return the name for another holder's messages: "t0003", or "t0003 of NAME" in another sweep."""
        return self.trial if self.sweep == other.sweep else f"{self.trial} of {Path(self.sweep).name}"


@dataclass(frozen=True, slots=True)
class Lease:
    """A holder's right to compute one stage."""

    holder: Holder
    number: int
    """Rises with every granted lease, so that a process and its replacement differ."""


class LeaseTable:
    """Grants leases; one process owns the table, all others call it.

    Args:
        quiet_s: seconds at the start in which leases are renewed and none is granted: a table that replaces a
            lost one first learns which leases the lost one had granted.
        clock: seconds since any start.
    """

    def __init__(self, quiet_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opens_at = clock() + quiet_s
        self._last_number = 0
        self._leases: dict[str, tuple[Lease, float]] = {}
        """Lease and end time of every stage, by name."""

    def take(self, name: str, holder: Holder, ttl_s: float) -> Lease | None:
        """Request a lease.

        A holder that has the lease already gets a new one at once: its process died and was started again.

        Returns:
            The valid lease, the caller's or another holder's; None if the stage is free but the table does
            not grant leases yet.
        """
        lease = self._valid(name)
        if lease is not None and lease.holder != holder:
            return lease
        if lease is None and self._clock() < self._opens_at:
            return None
        return self._keep(name, Lease(holder, self._last_number + 1), ttl_s)

    def renew(self, name: str, lease: Lease, ttl_s: float) -> Lease:
        """Extend a lease; an expired one is granted again if no other holder took it.

        Returns:
            The valid lease: another holder's if the caller's is lost.
        """
        valid = self._valid(name) or lease
        return self._keep(name, lease, ttl_s) if valid == lease else valid

    def release(self, name: str, lease: Lease) -> None:
        """End a lease; do nothing if it is lost already."""
        if self._valid(name) == lease:
            del self._leases[name]

    def give_up(self, holder: Holder) -> None:
        """End all leases of a holder whose process died."""
        self._leases = {name: kept for name, kept in self._leases.items() if kept[0].holder != holder}

    def _valid(self, name: str) -> Lease | None:
        lease, ends_at = self._leases.get(name, (None, 0.0))
        return lease if self._clock() < ends_at else None

    def _keep(self, name: str, lease: Lease, ttl_s: float) -> Lease:
        self._last_number = max(self._last_number, lease.number)
        self._leases[name] = (lease, self._clock() + ttl_s)
        return lease
