"""A local Ray is closed to other machines and users: addresses, tokens, file modes, and the warning."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.sweep.execution.ray_session import security
from autohier.sweep.execution.ray_session.security import authentication_warning, closed_to_others, read_umask
from support.listeners import is_loopback, listening_addresses

VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home folder, in an environment that says nothing about Ray's authentication."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield tmp_path
    monkeypatch.undo()
    from ray import _raylet

    _raylet.Config.initialize("")  # type: ignore[attr-defined]  # this process may start another Ray, which reads the environment again


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_token_is_its_owner_s_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        with closed_to_others():
            assert read_umask() == 0o077
            assert os.environ["RAY_AUTH_MODE"] == "token"
        assert read_umask() == 0
    finally:
        os.umask(before)
    token = home / ".ray" / "auth_token"
    assert (mode(token), mode(token.parent)) == (0o600, 0o700)
    assert len(bytes.fromhex(token.read_text())) == 32


@pytest.mark.parametrize("given", [False, True])
def test_an_existing_token_is_kept_and_closed(
    home: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    token = home / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("ab" * 32)
    token.chmod(0o644)
    if given:
        token = token.rename(home / "given")
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    with closed_to_others():
        pass
    assert (mode(token), token.read_text()) == (0o600, "ab" * 32)
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_an_empty_token_is_replaced(home: Path) -> None:
    token = home / ".ray" / "auth_token"
    token.parent.mkdir()
    token.touch(mode=0o644)
    with closed_to_others():
        pass
    assert (mode(token), len(token.read_text())) == (0o600, 64)


def test_a_home_that_cannot_be_written_leaves_a_token_without_a_file(home: Path) -> None:
    (home / ".ray").touch()
    with closed_to_others():
        pass
    assert len(bytes.fromhex(os.environ["RAY_AUTH_TOKEN"])) == 32


def test_a_token_that_cannot_be_closed_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = home / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("ab" * 32)
    token.chmod(0o644)

    def refuse(*_: object) -> None:
        raise PermissionError("another user's file")

    monkeypatch.setattr(Path, "chmod", refuse)
    with closed_to_others():
        pass
    assert os.environ["RAY_AUTH_TOKEN"] != "ab" * 32


def test_a_token_in_the_environment_is_used_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    with closed_to_others():
        pass
    assert os.environ["RAY_AUTH_TOKEN"] == "mine"  # noqa: S105
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("setting", [None, "token", "TOKEN"])
@pytest.mark.usefixtures("home")
def test_there_is_no_warning_while_authentication_is_on(
    monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    if setting:
        monkeypatch.setenv("RAY_AUTH_MODE", setting)
    assert authentication_warning() is None


def test_authentication_that_is_turned_off_is_a_warning(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    warning = authentication_warning()
    assert warning is not None
    assert "RAY_AUTH_MODE=disabled" in warning
    assert "every user of this machine" in warning
    with closed_to_others():
        assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "is_open"),
    [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("::", True)],  # noqa: S104
)
def test_the_kernel_s_lists_show_who_listens_where(address: str, is_open: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        found = listening_addresses({os.getpid()})[os.getpid()]
    assert address in found
    assert is_loopback(address) is not is_open


LOCAL_SWEEP = """
    import os, stat, sys
    from pathlib import Path
    from autohier.sweep.execution.ray_session.session import ray_session
    from support.listeners import descendants, is_loopback, listening_addresses
    from support.sweep_runs.plans import make_plan

    with ray_session(make_plan(Path.cwd())):
        import ray
        actor = ray.remote(num_cpus=0)(type("Worker", (), {"umask": lambda self: os.umask(0o077)})).remote()
        umask = ray.get(actor.umask.remote())
        found = listening_addresses(descendants(os.getpid()))
        addresses = {address for each in found.values() for address in each}
        print(len(found) >= 4, all(map(is_loopback, addresses)), addresses, oct(umask), sep="\\n")
        session = Path(ray._private.worker._global_node.get_session_dir_path())
        modes = {str(folder): stat.S_IMODE(folder.stat().st_mode) for folder in session.parents}
        print(any(mode & 0o077 == 0 for mode in modes.values()), modes)
"""


@pytest.mark.slow
def test_no_process_of_a_local_ray_can_be_reached_from_another_machine(home: Path) -> None:
    folders = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOCAL_SWEEP)],
        env=os.environ | {"PYTHONPATH": folders, "TMPDIR": "/tmp"},  # noqa: S108  which all users can enter
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    several, all_local, addresses, umask, files = ended.stdout.splitlines()
    assert (several, all_local) == ("True", "True"), addresses
    assert umask == "0o77"
    assert files.startswith("True"), files  # Ray's own folders are open to all users
    assert mode(home / ".ray" / "auth_token") == 0o600
    assert security.read_umask() != 0o077
