"""Tests of what SIGINT, SIGTERM and SIGHUP do to a driver."""

from __future__ import annotations

import ctypes
import math
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import pytest

from autohier.sweep.execution import signals
from autohier.sweep.execution.signals import (
    StopRequest,
    SweepInterruptedError,
    catch_signals,
    keep_handler,
    reinstall_handlers,
)
from support.waiting import PATIENCE_S, wait_until

HUNG_UP, INTERRUPTED, TERMINATED = 129, 130, 143
ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAKE_DRIVER = """
import importlib, pkgutil, sys
from autohier.sweep.execution.signals import SweepInterruptedError, catch_signals
with catch_signals(may_exit=True) as stop:
    print("started", flush=True)
    try:
        while True:
            # Imports again and again: a handler that raises is lost in a callback of an import lock.
            for name in ("email", "html", "json", "logging", "unittest", "xml"):
                for module in [each for each in sys.modules if each.partition(".")[0] == name]:
                    del sys.modules[module]
                for module in pkgutil.iter_modules(importlib.import_module(name).__path__):
                    if module.name != "__main__":
                        importlib.import_module(f"{name}.{module.name}")
            stop.check()
    except SweepInterruptedError:
        sys.exit(stop.exit_code)
"""


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in ALL]


def wait_until_made(stop: StopRequest) -> None:
    wait_until(lambda: stop.is_made, "a request to stop")


@pytest.fixture
def slow_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all further signals for copies of the first one, however slow this machine is."""
    monkeypatch.setattr(signals, "_REPEAT_S", math.inf)


@pytest.mark.parametrize("number", ALL)
def test_a_signal_makes_the_request_and_raises_only_at_a_check(number: signal.Signals) -> None:
    before = handlers()
    with catch_signals() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        wait_until_made(stop)
        with pytest.raises(SweepInterruptedError, match=r"^$"):
            stop.check()
    assert handlers() == before


@pytest.mark.usefixtures("slow_copies")
def test_the_callback_of_the_first_signal_runs_once() -> None:
    calls: list[str] = []
    with catch_signals(on_first=lambda: calls.append(threading.current_thread().name)) as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        wait_until_made(stop)
    (name,) = calls
    assert name != threading.main_thread().name


@pytest.mark.usefixtures("slow_copies")
def test_a_second_signal_raises_where_the_process_must_live(monkeypatch: pytest.MonkeyPatch) -> None:
    with catch_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        wait_until_made(stop)
        os.kill(os.getpid(), signal.SIGINT)  # a copy, as wrappers send it
        monkeypatch.setattr(signals, "_REPEAT_S", 0.0)
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            os.kill(os.getpid(), signal.SIGINT)


def test_inner_blocks_share_the_request() -> None:
    with catch_signals() as outer:
        with catch_signals() as inner:
            assert inner is outer
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until_made(outer)
    with catch_signals() as later:
        assert not later.is_made


def test_outside_the_main_thread_no_handler_changes() -> None:
    found: list[object] = []

    def run() -> None:
        with catch_signals() as stop:
            found.extend(handlers())
            stop.make()
            found.append(stop.is_made)

    before = handlers()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [*before, True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])  # of background jobs, and under nohup
def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    with keep_handler(number):
        signal.signal(number, signal.SIG_IGN)
        with catch_signals() as stop:
            os.kill(os.getpid(), number)
            time.sleep(0.1)
            assert not stop.is_made


def test_handlers_replaced_outside_python_are_installed_again() -> None:
    with catch_signals() as stop:
        # Ray does so: Python does not notice it.
        ctypes.CDLL(None).signal(signal.SIGTERM, ctypes.c_void_p(1))  # SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        assert not stop.is_made
        reinstall_handlers()
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until_made(stop)


def start(code: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_a_second_signal_ends_a_process_that_never_checks() -> None:
    code = """
import threading
from autohier.sweep.execution import signals
signals._REPEAT_S = 0.0
with signals.catch_signals(may_exit=True, on_first=lambda: print("caught", flush=True)):
    print("started", flush=True)
    threading.Event().wait()
"""
    process = start(code)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "caught\n"
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == TERMINATED


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED), (signal.SIGHUP, HUNG_UP)],
)
def test_a_process_that_never_checks_ends_late_and_says_what_was_reached(number, code) -> None:
    script = """
import threading
from autohier.sweep.execution import signals
signals._LATE_S = 0.3
with signals.catch_signals(on_first=lambda: print("stopping"), on_late=print, may_exit=True) as stop:
    stop.describe = lambda: "3 of 5"
    print("started", flush=True)
    threading.Event().wait()
"""
    process = start(script)
    process.send_signal(number)
    assert process.communicate(timeout=PATIENCE_S)[0] == "stopping\n3 of 5\n"
    assert process.returncode == code


def test_a_process_ends_late_even_if_nothing_can_be_said() -> None:
    script = """
import threading
from autohier.sweep.execution import signals
signals._LATE_S = 0.1
with signals.catch_signals(may_exit=True) as stop:
    stop.describe = lambda: 1 / 0
    print("started", flush=True)
    threading.Event().wait()
"""
    process = start(script)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == TERMINATED


def test_a_process_that_ends_in_time_is_left_alone() -> None:
    script = """
import time
from autohier.sweep.execution import signals
signals._LATE_S = 0.1
with signals.catch_signals(may_exit=True) as stop:
    print("started", flush=True)
    assert stop.comes_within(60)
time.sleep(0.5)
print("ended", stop.exit_code)
"""
    process = start(script)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE_S)[0] == f"ended {TERMINATED}\n"
    assert process.returncode == 0


def interrupt_at(moments_s: Sequence[float], *, parallel: int) -> list[int]:
    """Interrupt a fake driver at each moment after its start; return the exit codes."""
    codes: list[int] = []
    for begin in range(0, len(moments_s), parallel):
        batch: list[subprocess.Popen[str]] = []
        with ExitStack() as stack:
            for moment_s in moments_s[begin : begin + parallel]:
                process = start(FAKE_DRIVER)
                stack.callback(process.kill)  # it would never end by itself, and its memory grows
                time.sleep(moment_s)
                process.send_signal(ALL[len(batch) % 2])
                batch.append(process)
            codes += [process.wait(PATIENCE_S) for process in batch]
    return codes


def test_a_driver_ends_at_any_moment() -> None:
    assert interrupt_at([0.02 * index for index in range(10)], parallel=2) == [INTERRUPTED, TERMINATED] * 5


@pytest.mark.slow
def test_a_driver_ends_at_200_random_moments() -> None:
    # Within the first rounds of imports, each of which takes a few hundredths of a second.
    moments_s = np.random.default_rng(0).uniform(0, 0.2, 200).tolist()
    assert interrupt_at(moments_s, parallel=4) == [INTERRUPTED, TERMINATED] * 100


def test_a_closed_terminal_ends_a_driver_that_prints() -> None:
    script = """
import os
from autohier.sweep.execution.signals import SweepInterruptedError, catch_signals
with catch_signals(may_exit=True, on_first=lambda: print("stopping", flush=True)) as stop:
    make = stop.make

    def make_and_write(number):
        os.write(1, b"3 of 5")  # as the driver may at once; fails if the terminal's end is not seen
        make(number)

    stop.make = make_and_write
    print("started", flush=True)
    try:
        while not stop.comes_within(60):
            pass
        print("4 of 5", flush=True)
        stop.check()
    except SweepInterruptedError:
        raise SystemExit(stop.exit_code)
"""
    driver, terminal = pty.fork()
    if not driver:
        os.execv(sys.executable, [sys.executable, "-c", script])  # noqa: S606  a command of the test's own
    assert os.read(terminal, 64) == b"started\r\n"
    os.close(terminal)  # the system signals the terminal's processes
    _, status = os.waitpid(driver, 0)
    assert os.waitstatus_to_exitcode(status) == HUNG_UP
