"""A sweep on this machine for `random_kills.py`: how it starts, and what may be killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_OPTIONS = (
    *("--parallel", "1", "--trials", "4"),
    *("--set", "clips.num_frames=2", "--set", "clips.resize_px=16", "--set", "clips.crop_px=14"),
    *("--set", "clips.test_sets=1", "--set", "pass_1.epochs=3", "--set", "pass_2.epochs=4"),
    *("--set", "pruning.epochs=2", "--set", "protocol.validation=paper"),
)
_COMMAND = "import signal; signal.signal(2, signal.default_int_handler); "
_COMMAND += "from autohier.cli.main import main; main()"
"""Restores SIGINT, which a shell makes its background commands ignore."""
TIMEOUT_S = 1800
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
"""Signals that end a driver."""


class Site(Protocol):
    """The place of a sweep: what starts its driver, and what may be killed there."""

    def start(self) -> subprocess.Popen[Any]:
        """Start the sweep, or resume it."""

    def kill_one(self, driver: subprocess.Popen[Any], random_: random.Random) -> list[str]:
        """Kill something, and return what; nothing if there is none of it."""


def arguments_of(folder: Path, data: Path) -> tuple[str, ...]:
    """Return the command that starts the sweep of a folder, or resumes it."""
    if (folder / "sweeps" / "killed" / "sweep.json").is_file():
        return ("resume", "killed")
    return ("search", "demo", "--name", "killed", "--data", str(data), *_OPTIONS)


OpenSite = Callable[[Path, Path], AbstractContextManager[Site]]
"""Opens the site of a sweep in a folder, on the prepared clips in another one."""


@dataclass(frozen=True)
class LocalSite:
    """A sweep on this machine."""

    folder: Path
    data: Path

    def start(self) -> subprocess.Popen[Any]:
        """Start the sweep of the folder, or resume it."""
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments_of(self.folder, self.data)],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "errors.txt").open("ab"),
        )

    def kill_one(self, driver: subprocess.Popen[Any], random_: random.Random) -> list[str]:
        """Kill the driver or the process that trains."""
        victim = random_.choice((*SIGNALS, "worker"))
        if victim != "worker":
            return kill_driver(driver, victim)
        training = workers(self.folder)
        if training:
            subprocess.run(["kill", "-9", str(training[0])], check=False)
        return ["worker"] if training else []


@contextmanager
def open_local(folder: Path, data: Path) -> Iterator[Site]:
    """Run a sweep on this machine."""
    yield LocalSite(folder, data)


def kill_driver(driver: subprocess.Popen[Any], signal_name: str, pid: int | None = None) -> list[str]:
    """Send a signal to a driver, or to its process `pid` if another one started it, and wait for its end."""
    os.kill(pid or driver.pid, getattr(signal, signal_name))
    driver.wait(TIMEOUT_S)
    return [f"driver by {signal_name}"]


def workers(folder: Path) -> list[int]:
    """Return the processes that train for a sweep: Ray workers whose working directory is its folder."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    titles = ("ray::ImplicitFunc", "ray::StageActor")
    pids = [int(line.split()[0]) for line in listed.splitlines() if any(title in line for title in titles)]
    return [pid for pid in pids if _works_in(pid, folder)]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve().is_relative_to(folder.resolve())
    except OSError:
        return False
