"""Tests of when a holder renews its lease, without Ray."""

from __future__ import annotations

from autohier.sweep.execution.leases.lease_table import Holder, Lease
from autohier.sweep.execution.leases.ray_leases import RayLeases


class Pauses:
    """Event that records how long it is waited for, and is set after some waits."""

    def __init__(self, number):
        self.waited_s = []
        self._number = number

    def wait(self, timeout):
        self.waited_s.append(timeout)
        return len(self.waited_s) > self._number


def test_a_holder_whose_table_is_lost_tries_again_soon(tmp_path, monkeypatch):
    # A new table only accepts renewals for a third of 60 s: 15 s after a failed renewal may be too late.
    leases, lease = RayLeases(tmp_path, Holder("/sweeps/mhad", "t0000"), ttl_s=60.0), Lease(None, 1)
    answers = iter([lease, ConnectionError(), ConnectionError(), lease])

    def call(*_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(leases, "_call", call)
    pauses = Pauses(4)
    leases._keep_renewing("pass-2-abc", lease, pauses)
    assert pauses.waited_s == [15.0, 15.0, 0.5, 0.5, 15.0]
