"""Sweeps as a user runs them: the command line in processes of their own, on tiny clips."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autohier.records.reader import read_records
from tiny_clips import SPACE_FILE

PATIENCE_S = 120


@dataclass(frozen=True)
class Sweeps:
    """Runs the command line in processes of their own, on tiny clips, in one folder."""

    folder: Path
    data: Path
    ray_address: str

    def search(self, name: str, *options: str, space: Path = SPACE_FILE) -> subprocess.Popen[str]:
        """Start a sweep."""
        fixed = ("--data", str(self.data), "--ray-address", self.ray_address, "--name", name)
        return self.start("search", str(space), *fixed, *options)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start any command."""
        command = (sys.executable, "-c", "from autohier.cli.main import main; main()", *arguments)
        return subprocess.Popen(
            command, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def states(self, name: str) -> dict[str, str]:
        """The state of every trial that the records know."""
        records = read_records(self.folder / "sweeps" / name / "records")
        return {row.trial: row.state for row in records.trials}

    def stop_when(
        self, driver: subprocess.Popen[str], stop: signal.Signals, holds: Callable[[], bool]
    ) -> tuple[str, str]:
        """Send a signal to a driver as soon as something holds; what it said."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert driver.poll() is None, driver.communicate()
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.2)
        os.kill(driver.pid, stop)
        return driver.communicate(timeout=PATIENCE_S)


def finish(driver: subprocess.Popen[str]) -> str:
    """Wait for a command that must succeed; its standard output."""
    out, err = driver.communicate(timeout=2 * PATIENCE_S)
    assert driver.returncode == 0, out + err
    return out
