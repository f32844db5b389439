"""A PostgreSQL server of the test's own, which can be stopped and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_USER = 65534
"""Number of an unprivileged user."""
_INSTALLED = Path("/usr/lib/postgresql")


def missing_for_postgresql() -> str | None:
    """Return why this host cannot run a server; None if it can."""
    if _programs() is None:
        return "PostgreSQL is not installed"
    return None if os.geteuid() or shutil.which("setpriv") else "PostgreSQL does not run as root"


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return next((each for each in sorted(_INSTALLED.glob("*/bin"), reverse=True)), None)


@dataclass(frozen=True)
class Server:
    """A server; it listens after `start`."""

    folder: Path
    programs: Path
    address: str
    port: int

    @property
    def url(self) -> str:
        """Storage URL of its database."""
        return f"postgresql+psycopg://postgres@{self.address}:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses={self.address} -c fsync=off"
        self._run("pg_ctl", "-w", "-D", self._data, "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it and cut its connections."""
        self._run("pg_ctl", "-w", "-D", self._data, "-m", "immediate", "stop")

    def create(self) -> None:
        """Create the database."""
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "postgres")
        with (self.folder / "data" / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.0.0.0/8 trust\n")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        as_user = (
            () if os.geteuid() else ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups")
        )
        done = subprocess.run(
            [*as_user, str(self.programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def open_server(folder: Path, address: str = "127.0.0.1") -> Iterator[Server]:
    """Run a server with its files in a new folder, which other users may enter."""
    programs = _programs()
    assert programs is not None
    folder.mkdir()
    if not os.geteuid():
        os.chown(folder, _USER, _USER)
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    server = Server(folder, programs, address, port)
    server.create()
    server.start()
    try:
        yield server
    finally:
        server.stop()
