"""A Ray whose machines are virtual ones, with a token of its own and quick health checks."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.cluster.machines import Machine, Network, open_network
from support.waiting import PATIENCE_S, wait_until

_PORT = 6379
_REPOSITORY = Path(__file__).parents[3]
HEALTH_CHECKS = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""A machine without power is known to be dead after some seconds instead of a minute."""


@dataclass
class VirtualCluster:
    """A running Ray; its first machine, the head, runs no trial."""

    network: Network
    environment: Mapping[str, str]
    _rays: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    """Process of ``ray start`` on every machine."""

    @property
    def head(self) -> Machine:
        """The machine on which drivers run."""
        return self.network.machines["head"]

    @property
    def driver_machine(self) -> Machine:
        """The machine "driver" if there is one, else the head."""
        return self.network.machines.get("driver", self.head)

    @property
    def address(self) -> str:
        """Address for ``--ray-address``."""
        return f"{self.head.address}:{_PORT}"

    def join(self, name: str, *, cpus: int = 1, hidden: Sequence[Path] = ()) -> Machine:
        """Add a machine; it joins within seconds."""
        machine = self.network.add(name, hidden=hidden)
        self._start_ray(machine, cpus, f"--address={self.address}")
        return machine

    def command(self, *arguments: str, log: Path | None = None) -> subprocess.Popen[str]:
        """Start a command of autohier on the driver's machine; without a log, its output goes to pipes."""
        code = "from autohier.cli.main import main; main()"
        return self.driver_machine.start(
            [sys.executable, "-c", code, *arguments],
            environment=self.environment,
            folder=self.network.shared,
            log=log,
        )

    def send_signal(self, name: str, number: int) -> None:
        """Send a signal to ``ray start`` on a machine, as its operator does before the machine ends."""
        pid = str(self._rays[name].pid)
        started = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=True).stdout
        os.kill(int(started.split()[0]), number)

    def start_head(self) -> None:
        """Start the head and wait until it answers."""
        head = self.network.add("head")
        self._log_file("head").unlink(missing_ok=True)
        self._start_ray(head, 0, "--head", f"--port={_PORT}", "--include-dashboard=false")
        wait_until(lambda: self._log("head").count("Ray runtime started"), "the head of Ray")

    def wait_for(self, num_machines: int) -> None:
        """Wait until this number of machines, with the head, belong to the cluster."""
        code = (
            "import ray, time, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level=40)\n"
            "while len([n for n in ray.nodes() if n['Alive']]) < int(sys.argv[2]): time.sleep(0.2)"
        )
        waiting = self.head.start(
            [sys.executable, "-c", code, self.address, str(num_machines)],
            environment=self.environment,
            folder=self.network.shared,
        )
        _, err = waiting.communicate(timeout=PATIENCE_S)
        assert waiting.returncode == 0, err

    def _start_ray(self, machine: Machine, cpus: int, *options: str) -> None:
        ray = Path(sys.executable).with_name("ray")
        fixed = (
            f"--node-ip-address={machine.address}",
            f"--num-cpus={cpus}",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
            "--block",
        )
        self._rays[machine.name] = machine.start(
            [str(ray), "start", *options, *fixed],
            environment=self.environment,
            folder=self.network.shared,
            log=self._log_file(machine.name),
        )

    def _log_file(self, name: str) -> Path:
        return self.network.shared / f"ray-{name}.log"

    def _log(self, name: str) -> str:
        return self._log_file(name).read_text(errors="replace")


@contextmanager
def open_cluster(shared: Path, *machines: str) -> Iterator[VirtualCluster]:
    """Run a head and machines with one core each; end them when the block ends.

    A machine named "driver" has no core: drivers run there, and not on the head. Python runs the file
    ``sitecustomize.py`` of the shared folder in all processes, if there is one.
    """
    token = shared / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTEST_"))}
    environment = kept | {
        **HEALTH_CHECKS,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_enable_metrics_collection": "0",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": os.pathsep.join((str(_REPOSITORY), str(shared))),
        "COLUMNS": "200",
    }
    with open_network(shared) as network:
        cluster = VirtualCluster(network, environment)
        cluster.start_head()
        for name in machines:
            cluster.join(name, cpus=int(name != "driver"))
        cluster.wait_for(1 + len(machines))
        yield cluster
