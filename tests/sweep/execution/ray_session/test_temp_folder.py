"""The folder of a local Ray: where it lies, and that none stays behind."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.sweep.execution.ray_session import temp_folder
from autohier.sweep.execution.ray_session.temp_folder import ray_temp_folder
from support.waiting import PATIENCE_S

LONGEST = "/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""What Ray adds to its folder."""
LONG = f"/y/{'x' * 100}"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, of the kind that pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as path:
        yield Path(path)


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def open_as_ray_does(folder: Path) -> None:
    """Make Ray's folder, and let all users of the machine write to it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)


def test_the_folder_is_private_and_goes_with_the_block(short):
    with ray_temp_folder({"TMPDIR": str(short)}) as folder:
        assert folder.parent.parent == short
        open_as_ray_does(folder)
        assert mode(folder.parent) == 0o700
        (folder / "session").mkdir()
    assert not list(short.iterdir())


def test_another_place_is_taken_if_the_first_is_unusable(short, monkeypatch):
    monkeypatch.setattr(temp_folder, "_USUAL_PLACES", ("/proc/none", str(short)))
    for unusable in ("/proc/none", LONG, "", None):
        with ray_temp_folder({} if unusable is None else {"TMPDIR": unusable}) as folder:
            assert folder.parent.parent == short


def test_a_place_whose_files_cannot_be_locked_is_unusable(short, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    monkeypatch.setattr(temp_folder, "_USUAL_PLACES", (str(short),))
    reason = rf"{re.escape(str(short))}: files in it cannot be locked \({os.strerror(errno.ENOLCK)}\)"
    with pytest.raises(InputError, match=reason), ray_temp_folder({}):
        pass
    assert not list(short.iterdir())


def test_the_longest_path_of_a_socket_fits(short, monkeypatch):
    limit = 103 if sys.platform == "darwin" else 107
    monkeypatch.setattr(temp_folder, "_USUAL_PLACES", (str(short),))
    lengths = set()
    for length in range(40):
        place = f"{short}/{'x' * length}"
        Path(place).mkdir(exist_ok=True)
        with ray_temp_folder({"TMPDIR": place}) as folder:
            lengths.add(len(f"{folder}{LONGEST}"))
    assert max(lengths) == limit


def test_without_any_place_each_is_named_with_its_reason(monkeypatch):
    monkeypatch.setattr(temp_folder, "_USUAL_PLACES", ("/proc/none",))
    refused = pytest.raises(
        InputError,
        match=r"but got /y/x+: a path of 103 bytes; /proc/none: No such file or directory: set TMPDIR to",
    )
    with refused, ray_temp_folder({"TMPDIR": LONG}):
        pass


def test_the_stated_limit_is_that_of_the_named_folder(short, monkeypatch):
    monkeypatch.setattr(temp_folder, "_USUAL_PLACES", ())
    for variable in ("TMPDIR", "RAY_TMPDIR"):
        with pytest.raises(InputError, match="has at most") as refused, ray_temp_folder({variable: LONG}):
            pass
        limit = int(re.findall(r"at most (\d+) bytes", str(refused.value))[0])
        longest = f"{short}/{'x' * (limit - len(str(short)) - 1)}"
        Path(longest).mkdir()
        with ray_temp_folder({variable: longest}):
            pass
        Path(f"{longest}x").mkdir()
        with (
            pytest.raises(InputError, match=f"a path of {limit + 1} bytes"),
            ray_temp_folder({variable: f"{longest}x"}),
        ):
            pass


def test_a_chosen_folder_stays(short):
    with ray_temp_folder({"RAY_TMPDIR": str(short), "TMPDIR": "/proc/none"}) as folder:
        assert folder.parent == short / f"ray-{os.getuid()}"
        open_as_ray_does(folder)
        (folder / "log").touch()
        assert mode(folder.parent) == 0o700
    assert (folder / "log").is_file()
    for wrong, reason in ((f"{short}/{'x' * 100}", "a path of"), ("/proc/none", "No such file")):
        refused = pytest.raises(InputError, match=f"{wrong}: {reason}.*set RAY_TMPDIR to such a folder")
        with refused, ray_temp_folder({"RAY_TMPDIR": wrong}):
            pass


def test_a_chosen_folder_is_closed_to_others_or_refused(short, monkeypatch):
    private = short / f"ray-{os.getuid()}"
    private.mkdir()
    private.chmod(0o777)
    with ray_temp_folder({"RAY_TMPDIR": str(short)}):
        assert mode(private) == 0o700
    (short / "ray-12345").mkdir()  # of this user, before that one comes
    (short / "ray-54321").symlink_to(private)
    for user in (12345, 54321):
        monkeypatch.setattr(os, "getuid", lambda user=user: user)
        refused = pytest.raises(InputError, match=f"{short}: ray-{user} in it is no folder of yours")
        with refused, ray_temp_folder({"RAY_TMPDIR": str(short)}):
            pass


def test_only_folders_of_dead_drivers_are_removed(short, monkeypatch):
    code = """
import sys
from autohier.sweep.execution.ray_session.temp_folder import ray_temp_folder
with ray_temp_folder({"TMPDIR": sys.argv[1]}) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", code, short], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    alive, dead = (Path((driver.stdout or sys.stdin).readline().strip()).parent for driver in drivers)
    drivers[1].kill()
    drivers[1].wait(PATIENCE_S)
    other = short / "ray-abcdefgh"  # of another program
    other.mkdir()
    (short / "ray-symlink1").symlink_to(dead)

    with ray_temp_folder({"TMPDIR": str(short)}):
        assert dead.is_dir()  # too young: its driver might not have locked it yet
    monkeypatch.setattr(temp_folder, "_STARTED_S", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 12345)
        with ray_temp_folder({"TMPDIR": str(short)}):
            assert dead.is_dir()  # another user's
    with ray_temp_folder({"TMPDIR": str(short)}):
        assert not dead.exists()
        assert alive.is_dir()
        assert other.is_dir()
    drivers[0].communicate("", timeout=PATIENCE_S)
    assert not alive.exists()
