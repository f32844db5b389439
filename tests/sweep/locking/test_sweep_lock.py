"""Tests of the lock that gives a sweep one driver."""

import os
import subprocess
import sys
import textwrap

import pytest

from autohier.errors import SweepBusyError
from autohier.sweep.locking.sweep_lock import driver_of, hold_sweep, holder_file


def test_a_second_driver_is_refused_and_the_first_one_named(tmp_path):
    lock = tmp_path / "sweep" / "driver.lock"
    with hold_sweep(lock):
        assert driver_of(lock).startswith("process ")
        busy = pytest.raises(SweepBusyError, match=r"one driver at a time, but got one held by process \d+")
        with busy, hold_sweep(lock):
            pass
    assert driver_of(lock) is None
    with hold_sweep(lock):
        pass


def test_a_sweep_that_never_ran_has_no_driver(tmp_path):
    lock = tmp_path / "driver.lock"
    assert driver_of(lock) is None
    assert not lock.exists()


def test_the_lock_is_free_after_its_holder_is_killed(tmp_path):
    lock = tmp_path / "driver.lock"
    code = f"""
        import os, pathlib, signal
        from autohier.sweep.locking.sweep_lock import hold_sweep
        with hold_sweep(pathlib.Path({str(lock)!r})):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert killed.returncode == -9
    assert "process" in holder_file(lock).read_text()
    assert driver_of(lock) is None
    with hold_sweep(lock):
        assert driver_of(lock) is not None


def test_the_driver_of_another_user_s_sweep_may_be_alive(tmp_path, monkeypatch):
    lock = tmp_path / "driver.lock"
    with hold_sweep(lock):
        pass

    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr("autohier.sweep.locking.sweep_lock.os.open", refuse)
    assert driver_of(lock).endswith(", if it is still alive")


def test_looking_for_the_driver_changes_nothing(tmp_path):
    lock = tmp_path / "driver.lock"
    with hold_sweep(lock):
        pass
    lock.write_text("content")
    before = [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())]
    assert driver_of(lock) is None
    assert [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())] == before
    assert lock.read_text() == "content"


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_something_else_in_place_of_the_holder_s_name_does_not_keep_a_driver_away(tmp_path, put):
    lock_file = tmp_path / "driver.lock"
    put(holder_file(lock_file))
    with hold_sweep(lock_file):
        assert driver_of(lock_file)
    assert driver_of(lock_file) is None
