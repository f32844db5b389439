"""Tests of the watch over a cluster's head: its silence ends the sweep, also of a blocked main thread."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from autohier.errors import LostHeadError
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.execution.signals import StopRequest
from support.waiting import PATIENCE_S, wait_until

BLOCKED = """
import threading
from autohier.sweep.execution.ray_session.session import be_quiet
be_quiet()
from autohier.sweep.execution import signals
from autohier.sweep.execution.cluster import head_watch
head_watch._POLL_S, head_watch._SILENCE_S, signals._LATE_S = 0.01, 0.1, 0.1
with signals.catch_signals(may_exit=True) as stop:
    with head_watch.watched_head("head:6379", "autohier resume a", stop, threading.Event().wait):
        threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    be_quiet()
    from autohier.sweep.execution.cluster import head_watch

    monkeypatch.setattr(head_watch, "_POLL_S", 0.01)
    monkeypatch.setattr(head_watch, "_SILENCE_S", 0.5)


def test_a_silent_head_ends_the_sweep() -> None:
    from autohier.sweep.execution.cluster.head_watch import watched_head

    stop, silent = StopRequest(), threading.Event()

    def ask() -> None:
        silent.wait()

    with watched_head("head:6379", "autohier resume a", stop, ask):
        wait_until(lambda: stop.is_made, "the end of the sweep")
        silent.set()
    assert isinstance(stop.error, LostHeadError)
    assert "nothing from head:6379 for" in str(stop.error)
    assert "then run 'autohier resume a'" in str(stop.error)
    assert stop.exit_code == 2


def test_a_head_that_answers_late_or_with_errors_for_a_moment_is_not_lost() -> None:
    from autohier.sweep.execution.cluster.head_watch import watched_head

    stop, asked = StopRequest(), list[None]()

    def ask() -> None:
        asked.append(None)
        if len(asked) % 2:
            raise RuntimeError("the head restarts")

    with watched_head("head:6379", "autohier resume a", stop, ask):
        wait_until(lambda: len(asked) > 100, "answers")
    assert not stop.is_made


def test_a_driver_that_waits_for_a_lost_head_ends_with_the_resume_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(
        "autohier: the head of the Ray cluster must answer, but got nothing from head"
    )
    assert "'autohier resume a'" in ended.stderr
