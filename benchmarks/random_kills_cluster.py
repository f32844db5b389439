"""A sweep on virtual machines for `random_kills.py`: what may happen to them, and to the driver."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from random_kills_local import SIGNALS, Site, arguments_of, kill_driver

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.cluster.machines import missing_for_machines
from support.cluster.ray_cluster import VirtualCluster, open_cluster

_NUM_MACHINES = 2


@dataclass
class MachinesSite:
    """A sweep on machines that share its folder; its driver runs on the head, which runs no trial."""

    cluster: VirtualCluster
    folder: Path
    data: Path
    _alive: list[str] = field(default_factory=list)
    _num_joined: int = 0

    def start(self) -> subprocess.Popen[Any]:
        """Start the sweep of the folder, or resume it."""
        return self.cluster.command(
            *arguments_of(self.folder, self.data),
            *("--out", str(self.folder / "sweeps"), "--ray-address", self.cluster.address),
            log=self.folder / "errors.txt",
        )

    def kill_one(self, driver: subprocess.Popen[Any], random_: random.Random) -> list[str]:
        """Take a machine away and let another one join, or kill the driver."""
        what = random_.choice(("power", "cable", "notice", random_.choice(SIGNALS)))
        if what in SIGNALS:
            started = subprocess.run(
                ["pgrep", "-P", str(driver.pid)], capture_output=True, text=True, check=False
            )
            return kill_driver(driver, what, int(started.stdout)) if started.stdout else []
        name = self._alive.pop(random_.randrange(len(self._alive)))
        machine = self.cluster.network.machines[name]
        if what == "power":
            machine.cut_power()
        elif what == "cable":
            machine.cut_cable()
        else:
            self.cluster.send_signal(name, signal.SIGTERM)
        self.join()
        return [what]

    def join(self) -> None:
        """Add a machine with one core."""
        name = f"machine-{self._num_joined}"
        self.cluster.join(name)
        self._alive.append(name)
        self._num_joined += 1


@contextmanager
def open_machines(folder: Path, data: Path) -> Iterator[Site]:
    """Run a sweep on virtual machines, as long as the block runs."""
    reason = missing_for_machines()
    if reason is not None:
        sys.exit(reason)
    shutil.copytree(data, folder / "data")
    with open_cluster(folder) as cluster:
        site = MachinesSite(cluster, folder, folder / "data")
        for _ in range(_NUM_MACHINES):
            site.join()
        cluster.wait_for(1 + _NUM_MACHINES)
        yield site
