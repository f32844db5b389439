"""Records of sweeps whose processes are killed at random moments, compared with an undisturbed sweep.

One sweep runs undisturbed. The same sweep then runs several times, each time in a folder of its own, while
its processes are killed at random moments: the driver (SIGKILL, SIGTERM or SIGINT) or the process that trains
(SIGKILL). If the driver ended, the sweep is resumed. The benchmark exits with 1 if final records differ in
anything except times and the trial that trained a shared stage.

With --cluster, the sweep runs on a Ray of virtual machines, whose head runs no trial (root; Linux). A machine
loses its power or its network, or gets a notice, and another one joins; or the driver is killed as above.

    python benchmarks/random_kills.py --kills 20 --data data      # the demo's clips, small
    sudo python benchmarks/random_kills.py --kills 20 --data data --cluster
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

_OPTIONS = (
    *("--parallel", "1", "--trials", "4"),
    *("--set", "clips.num_frames=2", "--set", "clips.resize_px=16", "--set", "clips.crop_px=14"),
    *("--set", "clips.test_sets=1", "--set", "pass_1.epochs=3", "--set", "pass_2.epochs=4"),
    *("--set", "pruning.epochs=2", "--set", "protocol.validation=paper"),
)
_COMMAND = "import signal; signal.signal(2, signal.default_int_handler); "
_COMMAND += "from autohier.cli.main import main; main()"
"""Restores SIGINT, which a shell makes its background commands ignore."""
_UNTIMED = {
    "trials": (
        *("number", "started_at", "finished_at", "seconds_computed", "seconds_reused"),
        *("epochs_computed", "epochs_reused"),
    ),
    "stages": ("seconds", "reused"),
    "epochs": ("seconds",),
    "tests": ("evaluated_at",),
}
_TIMEOUT_S = 1800
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
    driver.wait(_TIMEOUT_S)
    return [f"driver by {signal_name}"]


def finish(site: Site, folder: Path) -> float:
    """Run a sweep to its end; return the seconds it took."""
    started = time.monotonic()
    if site.start().wait(_TIMEOUT_S):
        sys.exit("a sweep failed: " + (folder / "errors.txt").read_text())
    return time.monotonic() - started


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


def disturb(site: Site, random_: random.Random, max_wait_s: float) -> list[str]:
    """Kill parts of a sweep, at most `max_wait_s` apart, until it ends; return what was killed."""
    killed: list[str] = []
    while True:
        driver = site.start()
        while driver.poll() is None:
            try:
                driver.wait(random_.uniform(0.2, max_wait_s))
            except subprocess.TimeoutExpired:
                killed += site.kill_one(driver, random_)
        if driver.returncode == 0:
            return killed


def differences(undisturbed: Path, folder: Path) -> list[str]:
    """Return the kinds of records in which two sweeps differ, without the columns in `_UNTIMED`."""
    return [kind for kind in _UNTIMED if not _rows(undisturbed, kind).equals(_rows(folder, kind))]


def _rows(folder: Path, kind: str) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "sweeps" / "killed" / "records" / kind)
    return rows.drop(columns=list(_UNTIMED[kind])).reset_index(drop=True)


def report(killed: Sequence[str], num_sweeps: int, different: Sequence[str]) -> list[str]:
    """Return a line with the numbers of kills and the kinds of records that differ."""
    kinds = ", ".join(f"{number} x {what}" for what, number in sorted(Counter(killed).items()))
    verdict = f"records differ: {', '.join(different)}" if different else "no record differs"
    return [f"{len(killed)} kills in {num_sweeps} sweeps ({kinds}): {verdict}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--kills", type=int, default=20, help="minimum number of kills; the last sweep is finished"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the prepared demo")
    parser.add_argument("--cluster", action="store_true", help="kill virtual machines; needs root")
    options = parser.parse_args()
    data, random_ = options.data.resolve(), random.Random(options.seed)  # noqa: S311  kills, not secrets
    open_site: OpenSite = open_local
    if options.cluster:
        from random_kills_cluster import open_machines

        open_site = open_machines
    with tempfile.TemporaryDirectory() as name:
        undisturbed = Path(name) / "undisturbed"
        undisturbed.mkdir()
        with open_site(undisturbed, data) as site:
            undisturbed_s = finish(site, undisturbed)
        print(f"undisturbed: {undisturbed_s:.0f} s", flush=True)
        killed: list[str] = []
        different: list[str] = []
        num_sweeps = 0
        while len(killed) < options.kills:
            folder = Path(name) / f"killed-{num_sweeps}"
            folder.mkdir()
            started = time.monotonic()
            with open_site(folder, data) as site:
                killed += disturb(site, random_, undisturbed_s / 2)
            num_sweeps += 1
            different += differences(undisturbed, folder)
            print(f"sweep {num_sweeps}: {len(killed)} kills, {time.monotonic() - started:.0f} s", flush=True)
        print("\n".join(report(killed, num_sweeps, different)))
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
