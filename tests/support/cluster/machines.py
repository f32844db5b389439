"""Virtual machines on one host: Linux namespaces on a private bridge; needs root.

Each machine has its own address, host name, process tree, ``/dev/shm`` and ``/tmp``. Killing its first
process ends all its processes at once, as a power cut does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TOOLS = ("unshare", "nsenter", "ip", "setpriv")
_NETWORKS = range(100, 200)
_REPOSITORY = Path(__file__).parents[3]


def missing_for_machines() -> str | None:
    """Return why this host cannot run virtual machines; None if it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "virtual machines need root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"virtual machines need {', '.join(missing)}"
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
    permitted = subprocess.run(command, capture_output=True, check=False)
    return None if permitted.returncode == 0 else "this system permits no namespaces"


@dataclass
class Machine:
    """A running virtual machine."""

    name: str
    address: str
    pid: int
    """Number of its first process on the host."""
    process: subprocess.Popen[bytes]
    cable: str
    """Host's end of its network interface."""

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command on the machine; its output goes to a log, or to pipes without one."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", f"--wd={folder}", "--"]
        out = subprocess.PIPE if log is None else log.open("ab")
        err = subprocess.PIPE if log is None else subprocess.STDOUT
        return subprocess.Popen(
            [*enter, *command],
            env=dict(environment),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )

    def cut_power(self) -> None:
        """End all processes of the machine at once."""
        subprocess.run(["ip", "link", "del", self.cable], capture_output=True, check=False)
        self.process.kill()
        self.process.wait()

    def cut_cable(self) -> None:
        """Take the machine off the network; its processes stay."""
        subprocess.run(["ip", "link", "set", self.cable, "down"], check=True)


@dataclass
class Network:
    """A private network of virtual machines."""

    number: int
    shared: Path
    """Folder that the machines see at the same path as the host."""
    machines: dict[str, Machine] = field(default_factory=dict)
    _num_added: int = 0

    @property
    def host_address(self) -> str:
        """Address of the host in the network."""
        return f"10.{self.number}.0.254"

    def add(self, name: str, *, hidden: Sequence[Path] = ()) -> Machine:
        """Start a machine.

        Args:
            name: its host name.
            hidden: folders that are empty on this machine and shared with no other.
        """
        self._num_added += 1
        index = self._num_added
        process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"),
                *("--mount-proc", "bash", "-c", self._first_process(name, hidden)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n", f"machine {name} did not start"
        children = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout
        pid, address = int(children.split()[0]), f"10.{self.number}.0.{index}"
        cable, plug = f"ah{self.number}h{index}", f"ah{self.number}n{index}"
        inside = ("nsenter", "-t", str(pid), "-n", "ip")
        for command in (
            ("ip", "link", "add", cable, "type", "veth", "peer", "name", plug),
            ("ip", "link", "set", plug, "netns", str(pid)),
            ("ip", "link", "set", cable, "master", f"ah{self.number}", "up"),
            (*inside, "link", "set", plug, "name", "eth0"),
            (*inside, "addr", "add", f"{address}/24", "dev", "eth0"),
            (*inside, "link", "set", "eth0", "up"),
            (*inside, "route", "add", "default", "via", self.host_address),
        ):
            subprocess.run(command, check=True)
        self.machines[name] = Machine(name, address, pid, process, cable)
        return self.machines[name]

    def _first_process(self, name: str, hidden: Sequence[Path]) -> str:
        root = f"/run/autohier-test-{self.number}-{name}"
        commands = [f"hostname {name}", "mount -t tmpfs -o size=512m tmpfs /dev/shm"]
        commands += [f"mkdir -p {root}", f"mount -t tmpfs tmpfs {root}"]
        for path in self._kept():
            inside = f"{root}/{path.relative_to('/tmp')}"  # noqa: S108
            commands += [f"mkdir -p {inside}", f"mount --rbind {path} {inside}"]
        commands += [f"mount --move {root} /tmp", "chmod 1777 /tmp", f"rmdir {root}"]
        commands += [f"mount -t tmpfs tmpfs {path}" for path in hidden]
        commands += ["ip link set lo up", "echo up", "while :; do sleep 3600 & wait $!; done"]
        return " && ".join(commands)

    def _kept(self) -> list[Path]:
        """Return the folders below /tmp that stay visible: the shared one, the package, and its Python."""
        paths = {self.shared, _REPOSITORY, Path(sys.prefix)}
        return sorted(path for path in paths if path.is_relative_to("/tmp"))  # noqa: S108


@contextmanager
def open_network(shared: Path) -> Iterator[Network]:
    """Open a private network; end its machines when the block ends."""
    number = next(each for each in _NETWORKS if _add_bridge(each))
    network = Network(number, shared)
    try:
        yield network
    finally:
        for machine in network.machines.values():
            machine.cut_power()
        subprocess.run(["ip", "link", "del", f"ah{number}"], check=False)


def _add_bridge(number: int) -> bool:
    """Add the bridge of a network; return False if there is one already."""
    bridge = f"ah{number}"
    command = ["ip", "link", "add", bridge, "type", "bridge"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["ip", "addr", "add", f"10.{number}.0.254/24", "dev", bridge], check=True)
    subprocess.run(["ip", "link", "set", bridge, "up"], check=True)
    return True
