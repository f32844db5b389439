"""The lock of a sweep on a file system without locks, such as Lustre mounted without flock."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from autohier.errors import SweepBusyError
from autohier.sweep.locking import file_lock
from autohier.sweep.locking.file_lock import GRACE_S, HeldError, file_holder, hold_file, lock_files
from autohier.sweep.locking.sweep_lock import driver_of, hold_sweep
from support.waiting import PATIENCE_S, wait_until


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "driver.lock"


@pytest.fixture(params=[errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system whose locks the kernel refuses."""

    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr("fcntl.flock", refuse)


def forget() -> None:
    """Do nothing when a lock is lost."""


def set_age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds, time.time() - seconds))


@pytest.mark.usefixtures("without_locks")
def test_a_sweep_has_one_driver(lock: Path) -> None:
    with hold_sweep(lock):
        assert driver_of(lock) == f"process {os.getpid()} on {os.uname().nodename}"
        busy = pytest.raises(SweepBusyError, match=r"one driver at a time, but got one held by process \d+")
        with busy, hold_sweep(lock):
            pass
        assert driver_of(lock) is not None
    assert driver_of(lock) is None
    with hold_sweep(lock):
        assert driver_of(lock) is not None


def test_a_driver_with_locks_respects_one_without(lock: Path) -> None:
    with hold_file(lock, forget):
        lock.touch()
        assert driver_of(lock) is not None
        with pytest.raises(SweepBusyError, match=r"one held by process \d+"), hold_sweep(lock):
            pass


def test_the_lock_is_free_at_once_after_its_holder_was_killed_here(lock: Path) -> None:
    code = f"""
        import os, pathlib, signal
        from autohier.sweep.locking.file_lock import hold_file
        with hold_file(pathlib.Path({str(lock)!r}), print):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert killed.returncode == -9
    assert len(lock_files(lock)) == 1
    assert file_holder(lock) is None
    with hold_file(lock, forget):
        assert [path.name for path in lock_files(lock)] == ["driver.lock.2"]


@pytest.mark.parametrize("content", ['{"host": "node3", "process": 17}', "", "{", "[]", '{"process": "x"}'])
def test_the_lock_of_another_machine_is_held_for_the_grace_time(lock: Path, content: str) -> None:
    held = lock.with_name("driver.lock.4")
    held.write_text(content)
    expected = "process 17 on node3" if "node3" in content else "a driver that is starting"
    assert file_holder(lock) == expected
    with pytest.raises(HeldError, match=expected), hold_file(lock, forget):
        pass
    set_age(held, GRACE_S + 5)
    assert file_holder(lock) is None
    with hold_file(lock, forget):
        assert [path.name for path in lock_files(lock)] == ["driver.lock.5"]


def test_ages_are_measured_on_the_clock_of_the_file_server(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock.with_name("driver.lock.1").write_text('{"host": "node3", "process": 17}')
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert file_holder(lock) == "process 17 on node3"
    assert [path.name for path in lock.parent.iterdir()] == ["driver.lock.1"]


def test_of_two_that_start_at_once_one_holds_the_lock(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw a free lock; the second one begins to write when the first one holds it."""
    seen = file_lock._last_holder(lock)
    with hold_file(lock, forget):
        monkeypatch.setattr(file_lock, "_last_holder", lambda _: seen)
        with pytest.raises(HeldError, match="a driver that is starting"), hold_file(lock, forget):
            pass
        assert [path.name for path in lock_files(lock)] == ["driver.lock.1"]


def test_a_number_of_an_old_listing_takes_no_lock_away(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since the listing one driver has come and gone, and another has removed its file."""
    seen = file_lock._last_holder(lock)
    with hold_file(lock, forget):
        pass
    with hold_file(lock, forget):
        monkeypatch.setattr(file_lock, "_last_holder", lambda _: seen)
        with pytest.raises(HeldError, match="a driver that is starting"), hold_file(lock, forget):
            pass
        assert [path.name for path in lock_files(lock)] == ["driver.lock.2"]


def test_a_holder_touches_its_file_and_notices_its_loss(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "_TOUCH_S", 0.01)
    lost = threading.Event()
    with hold_file(lock, lost.set):
        (own,) = lock_files(lock)
        set_age(own, GRACE_S / 2)
        before = own.stat().st_mtime
        wait_until(lambda: own.stat().st_mtime > before, "the file is touched")
        assert not lost.is_set()
        own.with_name("driver.lock.2").touch()
        assert lost.wait(PATIENCE_S)
    assert own.stat().st_mtime > 0  # it was not this process's to release


def test_other_files_are_no_locks(lock: Path) -> None:
    for name in ("7", "driver.lock", "driver.lock.x", "driver.lock.1.tmp", "driver.lock.²", "driver.txt.9"):
        lock.with_name(name).touch()
    assert lock_files(lock) == []
    assert file_holder(lock.parent / "missing" / "driver.lock") is None
