"""One driver per sweep, and a lock that dies with its holder."""

import subprocess
import sys
import textwrap

import pytest

from autohier.errors import SweepBusyError
from autohier.sweep.lock import driver_of, hold_sweep


def test_a_second_driver_is_told_who_holds_the_sweep(tmp_path):
    lock = tmp_path / "sweep" / "driver.lock"
    with hold_sweep(lock):
        assert driver_of(lock).startswith("process ")
        busy = pytest.raises(SweepBusyError, match=r"one driver at a time, but got one that process \d+ on")
        with busy, hold_sweep(lock):
            pass
    assert driver_of(lock) is None
    with hold_sweep(lock):
        pass


def test_nobody_drives_a_sweep_that_never_ran(tmp_path):
    assert driver_of(tmp_path / "driver.lock") is None


def test_a_killed_driver_leaves_no_lock(tmp_path):
    lock = tmp_path / "driver.lock"
    code = f"""
        import os, pathlib, signal
        from autohier.sweep.lock import hold_sweep
        with hold_sweep(pathlib.Path({str(lock)!r})):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert killed.returncode == -9
    assert "process" in lock.read_text()
    with hold_sweep(lock):
        assert driver_of(lock) is not None
