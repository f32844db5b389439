"""Sweeps as a user runs them: commands in separate processes, on tiny clips."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autohier.records.reader import read_records
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.forked_commands import Command, CommandServer
from support.waiting import PATIENCE_S, wait_until


@dataclass(frozen=True)
class Sweeps:
    """Runs commands in separate processes, on tiny clips, in one folder."""

    folder: Path
    data: Path
    ray_address: str
    commands: CommandServer

    def search(self, name: str, *options: str, space: Path = SPACE_FILE) -> Command:
        """Start a sweep, without a confirmation unless the options ask for one."""
        fixed = ("--data", str(self.data), "--ray-address", self.ray_address, "--name", name)
        quick = () if "--confirm" in options else ("--confirm", "none")
        return self.start("search", str(space), *fixed, *quick, *options)

    def start(self, *arguments: str) -> Command:
        """Start any command."""
        return self.commands.start(self.folder, *arguments)

    def states(self, name: str) -> dict[str, str]:
        """Return the state of every recorded trial."""
        records = read_records(self.folder / "sweeps" / name / "records")
        return {row.trial: row.state for row in records.trials}

    def stop_when(self, driver: Command, stop: signal.Signals, holds: Callable[[], bool]) -> tuple[str, str]:
        """Send a signal to a driver as soon as a condition holds; return its output and errors."""
        wait_while_running(driver, holds)
        os.kill(driver.pid, stop)
        return driver.communicate(timeout=PATIENCE_S)


def wait_while_running(driver: Command, holds: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail with the driver's output if the driver ends before."""

    def check() -> bool:
        assert driver.poll() is None, driver.communicate()
        return holds()

    wait_until(check, "the moment to disturb a sweep")


def finish(driver: Command) -> str:
    """Wait for a command that must succeed; return its standard output."""
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    return out
