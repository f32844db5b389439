"""Leases across a cluster: a named actor keeps the book, drivers keep the actor, trials ask it.

All sweeps of a cluster which share a stage store share its book. The book may be lost at any time, with
the machine that it ran on or with the driver that had opened it: another driver opens a new one, holders
tell it of their leases, and nothing else is lost, since the truth is what lies in the stage store.
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
from autohier.sweep.lease_book import Holder, Lease, LeaseBook

_LOG = logging.getLogger(__name__)

_NAMESPACE = "autohier"
TTL_S = 60.0
"""How long a lease outlives the last sign of life of its holder."""
_BEAT, _QUIET = 1 / 4, 1 / 3
"""Parts of that time: between two signs of life; in which a new book only hears of leases that there are."""
_POLL_S = 0.5
_ANSWER_S = 10.0
_PATIENCE_S = 60.0
"""How long a trial waits for a book that does not answer, before it computes without a lease."""


class RayLeases:
    """Asks the book on behalf of one holder. Implements core.stages.leases.Leases.

    Args:
        stage_folder: of the store whose stages are computed.
        holder: the same for every process that one trial runs in.
        ttl_s: how long waiters wait for a holder that gives no sign of life.

    Raises:
        ValueError: where ttl_s is not above 0.
    """

    def __init__(self, stage_folder: Path, holder: Holder, *, ttl_s: float = TTL_S) -> None:
        if ttl_s <= 0:
            raise ValueError(f"a lease must last for more than 0 s, but got {ttl_s}")
        self._actor_name = _actor_name(stage_folder)
        self._holder = holder
        self._ttl_s = ttl_s
        self._book: Any = None

    @contextmanager
    def hold(self, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """See Leases."""
        lease = self._taken(name, on_wait)
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(name, lease, ended), daemon=True)
        heart.start()
        try:
            yield
        finally:
            ended.set()
            heart.join()  # a renewal that comes after the release would bring the lease back
            self._tell("release", name, lease)

    def give_up(self) -> None:
        """Release all that the holder has: for whoever knows that its process died."""
        self._tell("give_up", self._holder)

    def _taken(self, name: str, on_wait: Callable[[str], None]) -> Lease:
        told: Holder | None = None
        heard_at = time.monotonic()
        while True:
            try:
                lease: Lease | None = self._ask("take", name, self._holder, self._ttl_s)
                heard_at = time.monotonic()
            except ConnectionError as error:
                lease = None
                if time.monotonic() - heard_at > _PATIENCE_S:
                    _LOG.warning("%s; %s is computed without a lease, maybe twice", error, name)
                    return Lease(self._holder, 0)
            if lease is not None and lease.holder == self._holder:
                return lease
            if lease is not None and lease.holder != told:
                told = lease.holder
                on_wait(told.called_by(self._holder))
            time.sleep(_POLL_S)

    def _beat(self, name: str, lease: Lease, ended: threading.Event) -> None:
        while not ended.wait(self._ttl_s * _BEAT):
            try:
                living: Lease = self._ask("renew", name, lease, self._ttl_s)
            except ConnectionError as error:
                _LOG.debug("%s", error)
                continue
            if living != lease:
                _LOG.warning(
                    "%s was held up for too long: %s computes %s too, and both go on",
                    self._holder.trial,
                    living.holder.called_by(self._holder),
                    name,
                )
                return

    def _tell(self, what: str, *values: object) -> None:
        try:
            self._ask(what, *values)
        except ConnectionError as error:
            _LOG.debug("%s; what it holds ends by itself", error)

    def _ask(self, question: str, *values: object) -> Any:  # noqa: ANN401  what the book's method gives
        """Call a method of the book.

        Raises:
            ConnectionError: where no book can be reached now.
        """
        try:
            if self._book is None:
                self._book = ray.get_actor(self._actor_name, namespace=_NAMESPACE)
            return ray.get(getattr(self._book, question).remote(*values), timeout=_ANSWER_S)
        except (RayActorError, GetTimeoutError, ValueError) as error:
            self._book = None
            raise ConnectionError("the book of leases does not answer") from error


@contextmanager
def lease_book_open(stage_folder: Path, *, ttl_s: float = TTL_S) -> Iterator[None]:
    """See to it that the cluster has a book of leases while the block runs; call it in a driver.

    The actor belongs to the driver that opened it and ends with that one.

    Args:
        stage_folder: of the store whose stages are leased.
        ttl_s: of the leases; a book that replaces a lost one grants none for a third of it.
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
    book, quiet_s = None, 0.0
    while not ended.is_set():
        try:
            book = book or _open(name, quiet_s)
            ray.get(book.__ray_ready__.remote(), timeout=_ANSWER_S)
        except GetTimeoutError:
            _LOG.debug("the book of leases is slow")
        except RayError:
            _LOG.debug("the book of leases is lost", exc_info=True)
            book, quiet_s = None, ttl_s * _QUIET
        ended.wait(_POLL_S)


def _open(name: str, quiet_s: float) -> Any:  # noqa: ANN401  a handle
    actor_class = ray.remote(num_cpus=0)(LeaseBook)
    return actor_class.options(name=name, namespace=_NAMESPACE, get_if_exists=True).remote(quiet_s)


def _actor_name(stage_folder: Path) -> str:
    return f"leases-{digest(str(stage_folder.resolve()))[:16]}"
