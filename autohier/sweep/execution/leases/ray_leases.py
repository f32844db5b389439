"""Leases across a cluster: a named actor owns the lease table, drivers keep it alive, trials call it.

All sweeps of a cluster that share a stage store share its table. The table may be lost at any time, with its
machine or with the driver that started it. Another driver then starts a new one, and holders renew their
leases there. Nothing else is lost, because the stage store alone decides which stages are finished. The table
runs on the machine of the driver that started it, so that it is lost with this driver alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from autohier.digest import digest
from autohier.sweep.execution.cluster.placement import on_driver_machine
from autohier.sweep.execution.leases.lease_table import Holder, Lease, LeaseTable
from autohier.sweep.execution.memory_kills import deaths_by_memory

_LOG = logging.getLogger(__name__)

_NAMESPACE = "autohier"
TTL_S = 60.0
"""Seconds that a lease is valid after its last renewal."""
_RENEWAL, _QUIET = 1 / 4, 1 / 3
"""Parts of that time: between two renewals; in which a new table only accepts renewals."""
_POLL_S = 0.5
_ANSWER_TIMEOUT_S = 10.0
_PATIENCE_S = 60.0
"""Seconds that a trial waits for a table that does not answer, before it computes without a lease."""


class RayLeases:
    """Leases of one holder. Implements core.stages.store.single_flight.Leases.

    Args:
        stage_folder: stage store of the computed stages.
        holder: the same for every process that one trial runs in.
        ttl_s: seconds after which a lease that its holder does not renew expires.

    Raises:
        ValueError: if ttl_s is not above 0.
    """

    def __init__(self, stage_folder: Path, holder: Holder, *, ttl_s: float = TTL_S) -> None:
        if ttl_s <= 0:
            raise ValueError(f"a lease must last for more than 0 s, but got {ttl_s}")
        self._actor_name = _actor_name(stage_folder)
        self._holder = holder
        self._ttl_s = ttl_s
        self._table: Any = None

    @contextmanager
    def hold(self, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """See `Leases`."""
        lease = self._wait_for(name, on_wait)
        ended = threading.Event()
        renewer = threading.Thread(target=self._keep_renewing, args=(name, lease, ended), daemon=True)
        renewer.start()
        try:
            yield
        finally:
            ended.set()
            renewer.join()  # a renewal after the release would bring the lease back
            self._try_call("release", name, lease)

    def give_up(self) -> None:
        """Release all leases of the holder, when its process is known to be dead."""
        self._try_call("give_up", self._holder)

    def _wait_for(self, name: str, on_wait: Callable[[str], None]) -> Lease:
        reported: Holder | None = None
        answered_at = time.monotonic()
        while True:
            try:
                lease: Lease | None = self._call("take", name, self._holder, self._ttl_s)
                answered_at = time.monotonic()
            except ConnectionError as error:
                lease = None
                if time.monotonic() - answered_at > _PATIENCE_S:
                    _LOG.warning("%s; %s is computed without a lease, maybe twice", error, name)
                    return Lease(self._holder, 0)
            if lease is not None and lease.holder == self._holder:
                return lease
            if lease is not None and lease.holder != reported:
                reported = lease.holder
                on_wait(reported.called_by(self._holder))
            time.sleep(_POLL_S)

    def _keep_renewing(self, name: str, lease: Lease, ended: threading.Event) -> None:
        interval_s = pause_s = self._ttl_s * _RENEWAL
        while not ended.wait(pause_s):
            try:
                valid: Lease = self._call("renew", name, lease, self._ttl_s)
            except ConnectionError as error:
                _LOG.debug("%s", error)
                # A new table must learn of the lease before its quiet time ends.
                pause_s = min(_POLL_S, interval_s)
                continue
            pause_s = interval_s
            if valid != lease:
                _LOG.warning(
                    "the lease of %s expired: %s computes %s too, and both continue",
                    self._holder.trial,
                    valid.holder.called_by(self._holder),
                    name,
                )
                return

    def _try_call(self, method: str, *values: object) -> None:
        try:
            self._call(method, *values)
        except ConnectionError as error:
            _LOG.debug("%s; the leases expire by themselves", error)

    def _call(self, method: str, *values: object) -> Any:  # noqa: ANN401  result of the table's method
        """Call a method of the table.

        Raises:
            ConnectionError: if no table can be reached now.
        """
        try:
            if self._table is None:
                self._table = ray.get_actor(self._actor_name, namespace=_NAMESPACE)
            with deaths_by_memory():
                return ray.get(getattr(self._table, method).remote(*values), timeout=_ANSWER_TIMEOUT_S)
        except (RayActorError, GetTimeoutError, ValueError) as error:
            self._table = None
            raise ConnectionError("the lease table does not answer") from error


@contextmanager
def open_lease_table(stage_folder: Path, *, ttl_s: float = TTL_S) -> Iterator[None]:
    """Keep a lease table alive in the cluster while the block runs; call it in a driver.

    The table's actor belongs to the driver that started it and ends with it.

    Args:
        stage_folder: stage store of the leased stages.
        ttl_s: seconds that a lease is valid; a table that replaces a lost one grants none for a third of it.
    """
    ended = threading.Event()
    keeper = threading.Thread(target=_keep_open, args=(_actor_name(stage_folder), ttl_s, ended), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _keep_open(name: str, ttl_s: float, ended: threading.Event) -> None:
    table, quiet_s = None, 0.0
    while not ended.is_set():
        try:
            table = table or _open(name, quiet_s)
            ray.get(table.__ray_ready__.remote(), timeout=_ANSWER_TIMEOUT_S)
        except GetTimeoutError:
            _LOG.debug("the lease table is slow")
        except RayError:
            _LOG.debug("the lease table is lost", exc_info=True)
            table, quiet_s = None, ttl_s * _QUIET
        ended.wait(_POLL_S)


def _open(name: str, quiet_s: float) -> Any:  # noqa: ANN401  actor handle
    actor_class = ray.remote(num_cpus=0)(LeaseTable)
    return actor_class.options(
        name=name, namespace=_NAMESPACE, get_if_exists=True, scheduling_strategy=on_driver_machine()
    ).remote(quiet_s)


def _actor_name(stage_folder: Path) -> str:
    return f"leases-{digest(str(stage_folder.resolve()))[:16]}"
