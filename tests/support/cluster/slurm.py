"""A private Slurm of virtual machines: a controller, and a daemon on each machine.

It needs root and Slurm's programs, but neither systemd nor cgroups. Each machine has its own address, so that
a job can run Ray on several of them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.cluster.machines import Network, missing_for_machines, open_network
from support.waiting import wait_until

_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "munged")
_CONTROLLER = "ctl"
_NULL_DEVICE = os.makedev(1, 3)
GPUS = 2
"""Fake GPUs of each machine."""

_CONF = """\
ClusterName=private
SlurmctldHost={controller}({address})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
KillWait=10
SchedulerParameters=sched_interval=2,bf_interval=5,requeue_delay=1
SlurmdParameters=config_overrides
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing_for_slurm() -> str | None:
    """Return why this host cannot run the private Slurm; None if it can."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"Slurm needs {', '.join(missing)} (packages slurmctld, slurmd, slurm-client and munge)"
    return missing_for_machines()


@dataclass
class PrivateSlurm:
    """A running Slurm."""

    network: Network
    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: object, folder: Path | None = None, **variables: str) -> str:
        """Run a command on the controller's machine and return its output; fail if it fails."""
        process = self.network.machines[_CONTROLLER].start(
            [str(word) for word in command],
            environment={**self.environment, **variables},
            folder=folder or self.folder,
        )
        out, err = process.communicate()
        assert process.returncode == 0, f"{command}: {out}{err}"
        return out

    def on(self, machine: str, *command: str) -> str:
        """Run a command on a machine and return its output."""
        process = self.network.machines[machine].start(
            command, environment=self.environment, folder=self.folder
        )
        return process.communicate()[0]

    def state_of(self, job: str) -> str:
        """Return the state of a job, e.g. "RUNNING"; "" once Slurm has forgotten it."""
        out = self.run("scontrol", "--oneliner", "show", "job", job)
        return dict(part.partition("=")[::2] for part in out.split() if "=" in part).get("JobState", "")

    def field_of(self, job: str, name: str) -> str:
        """Return a field of a job, e.g. its Restarts."""
        out = self.run("scontrol", "--oneliner", "show", "job", job)
        return dict(part.partition("=")[::2] for part in out.split() if "=" in part)[name]

    def start_daemon(self, machine: str) -> None:
        """Start Slurm's daemon on a machine."""
        self.network.machines[machine].start(
            ["slurmd", "-D", "-N", machine, "-f", str(self.folder / "slurm.conf")],
            environment=self.environment,
            folder=self.folder,
            log=self.folder / f"{machine}.out",
        )


@contextmanager
def open_slurm(
    folder: Path, *, machines: int, cpus: int = 2, memory_mb: int = 4000
) -> Iterator[PrivateSlurm]:
    """Start a Slurm with machines n1, n2, ...; end it when the block ends.

    Args:
        folder: an existing folder with a short path, which the machines share.
        machines: number of machines that compute.
        cpus: cores of each, which need not exist.
        memory_mb: memory of each, which need not exist.
    """
    names = [f"n{index + 1}" for index in range(machines)]
    conf = folder / "slurm.conf"
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    with open_network(folder) as network, _open_munge() as munge:
        for name in (_CONTROLLER, *names):
            network.add(name)
        _write_files(folder, munge, network, names, cpus, memory_mb)
        for machine in network.machines.values():  # so that each machine finds the others by name
            command = ["mount", "--bind", str(folder / "hosts"), "/etc/hosts"]
            assert machine.start(command, environment=environment, folder=folder).wait() == 0
        slurm = PrivateSlurm(network, folder, environment)
        network.machines[_CONTROLLER].start(
            ["slurmctld", "-D", "-c", "-f", str(conf)],
            environment=environment,
            folder=folder,
            log=folder / "slurmctld.out",
        )
        for name in names:
            slurm.start_daemon(name)
        wait_until(lambda: _num_idle(slurm) == machines, "all machines of Slurm are idle", pause_s=0.3)
        yield slurm


def _write_files(
    folder: Path, munge: Path, network: Network, names: Sequence[str], cpus: int, memory_mb: int
) -> None:
    nodes = "\n".join(
        f"NodeName={name} NodeAddr={network.machines[name].address} CPUs={cpus} RealMemory={memory_mb} "
        f"Gres=gpu:{GPUS} State=UNKNOWN"
        for name in names
    )
    controller = network.machines[_CONTROLLER]
    (folder / "slurm.conf").write_text(
        _CONF.format(
            controller=_CONTROLLER, address=controller.address, folder=folder, munge=munge, nodes=nodes
        )
    )
    hosts = [f"{machine.address} {machine.name}" for machine in network.machines.values()]
    (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts, ""]))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainDevices=no\n")
    # Slurm takes only a device file for a GPU; any device does.
    devices = [folder / f"fake-gpu-{index}" for index in range(GPUS)]
    for device in devices:
        os.mknod(device, stat.S_IFCHR | 0o600, _NULL_DEVICE)
    files = f"{folder}/fake-gpu-[0-{GPUS - 1}]"
    (folder / "gres.conf").write_text("".join(f"NodeName={name} Name=gpu File={files}\n" for name in names))
    for name in names:
        (folder / f"spool-{name}").mkdir()
    (folder / "state").mkdir()


@contextmanager
def _open_munge() -> Iterator[Path]:
    """Run munge, by which Slurm's programs know each other; yield the folder of its socket.

    Munge wants a folder that all users can enter, which the folders of tests are not.
    """
    folder = Path(tempfile.mkdtemp(prefix="autohier-munge-", dir="/run"))
    folder.chmod(0o755)
    key, socket = folder / "key", folder / "socket"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    files = {"key-file": key, "socket": socket, "pid-file": folder / "pid", "log-file": folder / "log"}
    options = [f"--{name}={path}" for name, path in files.items()]
    process = subprocess.Popen(["munged", "-F", *options, f"--seed-file={folder / 'seed'}"])
    try:
        wait_until(lambda: socket.exists() or process.poll() is not None, "munge listens")
        assert process.poll() is None, "munge did not start"
        yield folder
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _num_idle(slurm: PrivateSlurm) -> int:
    out = subprocess.run(
        [
            *("nsenter", "-t", str(slurm.network.machines[_CONTROLLER].pid), "-m", "-n", "-p"),
            *("sinfo", "-h", "-N", "-t", "idle", "-o", "%N"),
        ],
        env=dict(slurm.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return len(out.stdout.split())
