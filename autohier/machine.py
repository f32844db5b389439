"""Share of this machine that this process may use, cores and memory, and the signals that end it.

The number of cores of a machine says little in a container, under ``taskset`` or in a job of Slurm. What
holds is the smallest of: the affinity mask, the CPU quota and the memory limit of the control group (cgroup)
or of any group above it, versions 1 and 2, and the cores that Slurm allocated to the job on this machine.
Every part of autohier asks this module.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PROC = Path("/proc")
_BYTES_PER_KIB = 1024
ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that ask for a clean end: Ctrl-C, a job manager's, and that of a closed terminal or ssh session.

Windows has no SIGHUP.
"""


@dataclass(frozen=True, slots=True)
class MachineShare:
    """Cores and memory that a process may use."""

    cores: int
    memory_bytes: int | None
    """None if the system does not say."""

    def num_processes(self, bytes_each: int) -> int:
        """Return the number of processes, each with a core and some memory, that fit; at least one."""
        if self.memory_bytes is None:
            return self.cores
        return max(1, min(self.cores, self.memory_bytes // bytes_each))


def machine_share(proc: Path = _PROC, environment: Mapping[str, str] = os.environ) -> MachineShare:
    """Return the share of this machine that this process may use.

    Args:
        proc: Linux's folder of processes; other systems have none, and no groups.
        environment: variables of the process, in which Slurm states the cores of its job on this machine.
    """
    groups = list(_groups(proc))
    quotas = [quota for group in groups if (quota := _cpu_quota(group)) is not None]
    limits = [limit for group in groups if (limit := _memory_limit(group)) is not None]
    total = _total_memory(proc)
    cores = min([_allowed_cores(), *quotas, *_slurm_cores(environment)])
    memory = min([*limits, *([] if total is None else [total])], default=None)
    return MachineShare(max(1, math.floor(cores)), memory)


def usable_cores() -> int:
    """Return the number of cores that this process may use, at least one."""
    return machine_share().cores


def _allowed_cores() -> float:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on macOS
        return os.cpu_count() or 1


def _slurm_cores(environment: Mapping[str, str]) -> list[float]:
    # Slurm pins processes only if its administrator configured that; the variable says what was asked for.
    cores = environment.get("SLURM_CPUS_ON_NODE", "")
    return [float(cores)] if "SLURM_JOB_ID" in environment and cores.isdecimal() and int(cores) else []


def _total_memory(proc: Path) -> int | None:
    for line in _read(proc / "meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * _BYTES_PER_KIB
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if proc == _PROC else None
    except (OSError, ValueError):  # not available on this system
        return None


def _cpu_quota(group: Path) -> float | None:
    quota, _, period = _read(group / "cpu.max").strip().partition(" ")  # version 2
    if not quota:
        quota, period = _read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()
    # "max" and -1 mean no quota.
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _memory_limit(group: Path) -> int | None:
    # Version 1 has a number near 2^63 for no limit: more than the machine's memory, so it changes nothing.
    limit = (_read(group / "memory.max") or _read(group / "memory.limit_in_bytes")).strip()
    return int(limit) if limit.isdecimal() else None


def _groups(proc: Path) -> Iterator[Path]:
    """Yield the folders of the control groups of this process, and of all groups above them."""
    paths = dict(_own_groups(proc))
    for controllers, root, mount in _mounts(proc):
        for name in controllers & paths.keys():
            own = PurePosixPath(paths[name])
            # A container may see its own group as the root of the mount.
            below = own.relative_to(root) if own.is_relative_to(root) else PurePosixPath()
            yield mount / below
            yield from (mount / parent for parent in below.parents)


def _own_groups(proc: Path) -> Iterator[tuple[str, str]]:
    """Yield controllers and the group in each; version 2 has one group, whose controller is named ""."""
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        yield from ((name, path) for name in controllers.split(","))


def _mounts(proc: Path) -> Iterator[tuple[set[str], str, Path]]:
    """Yield the controllers, the root and the place of each mounted hierarchy of groups."""
    for line in _read(proc / "self" / "mountinfo").splitlines():
        own, _, shared = line.partition(" - ")
        fields, (kind, *options) = own.split(), shared.split() or [""]
        if kind == "cgroup2":
            yield {""}, fields[3], Path(_unescape(fields[4]))
        elif kind == "cgroup":
            yield set(options[-1].split(",")), fields[3], Path(_unescape(fields[4]))


def _unescape(path: str) -> str:
    return path.replace("\\040", " ").replace("\\134", "\\")  # Linux writes octal numbers for these


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
