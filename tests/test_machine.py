"""Share of the machine that a process may use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from autohier.machine import MachineShare, machine_share

ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MIB = 1 << 20
MEMINFO = "MemFree: 1 kB\nMemTotal:       16777216 kB\n"  # 16 GiB
V1 = {
    "proc/self/cgroup": "4:memory:/slurm/job\n3:cpuset:/\n2:cpu,cpuacct:/slurm/job\n0::/\n",
    "proc/self/mountinfo": "33 31 0:29 / {root}/cpu\\040groups rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "36 31 0:32 / {root}/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "37 31 0:32 / /home rw,relatime - ext4 /dev/a rw,cpu\n",
}
V2 = {
    "proc/self/cgroup": "0::/user/session\n",
    "proc/self/mountinfo": "30 23 0:26 / {root}/groups rw,nosuid - cgroup2 cgroup2 rw\n",
}
CONTAINER_V1 = {
    "proc/self/cgroup": "4:memory:/docker/12ab\n",
    "proc/self/mountinfo": "36 31 0:32 /docker/12ab {root}/memory ro - cgroup cgroup rw,memory\n",
}


def share(root: Path, files: Mapping[str, str], **environment: str) -> MachineShare:
    """Return the share in a system that consists of these files."""
    for name, content in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("{root}", str(root)))
    return machine_share(root / "proc", environment)


@pytest.mark.parametrize(
    ("files", "cores", "mib"),
    [
        ({}, ALL, 16384),
        ({**V2, "groups/user/session/cpu.max": "100000 100000\n"}, 1, 16384),
        ({**V2, "groups/user/cpu.max": "50000 100000\n"}, 1, 16384),  # half a core; the group above it
        ({**V2, "groups/user/session/cpu.max": "max 100000\n"}, ALL, 16384),
        ({**V2, "groups/user/session/cpu.max": "99900000 100000\n"}, ALL, 16384),
        ({**V2, "groups/user/session/memory.max": "max\n", "groups/memory.max": f"{512 * MIB}\n"}, ALL, 512),
        ({**V2, "groups/other/memory.max": f"{512 * MIB}\n"}, ALL, 16384),
        (
            {
                **V1,
                "cpu groups/slurm/cpu.cfs_quota_us": "-1\n",
                "cpu groups/slurm/cpu.cfs_period_us": "100000\n",
                "cpu groups/slurm/job/cpu.cfs_quota_us": "150000\n",  # one and a half
                "cpu groups/slurm/job/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "memory/slurm/memory.limit_in_bytes": f"{4096 * MIB}\n",
                "memory/slurm/job/memory.limit_in_bytes": f"{2048 * MIB}\n",
            },
            1,
            2048,
        ),
        ({**CONTAINER_V1, "memory/memory.limit_in_bytes": f"{100 * MIB}\n"}, ALL, 100),
        ({"proc/self/cgroup": "nonsense", "proc/self/mountinfo": "x\n - cgroup2\n"[:2]}, ALL, 16384),
    ],
)
def test_the_smallest_limit_of_the_groups_holds(files, cores, mib, tmp_path):
    assert share(tmp_path, files) == MachineShare(cores, mib * MIB)


@pytest.mark.parametrize(
    ("environment", "cores"),
    [
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "1"}, 1),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "64000"}, ALL),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "all"}, ALL),
        ({"SLURM_CPUS_ON_NODE": "1"}, ALL),  # no job
    ],
)
def test_a_job_of_slurm_has_its_cores(environment, cores, tmp_path):
    assert share(tmp_path, {}, **environment).cores == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity mask")
def test_the_affinity_mask_holds():
    code = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from autohier.machine import usable_cores
print(usable_cores())
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "1\n"


@pytest.mark.parametrize(
    ("memory", "number"), [(None, 8), (10_000, 8), (399, 3), (1, 1)], ids=["?", "much", "some", "little"]
)
def test_processes_need_a_core_and_memory_each(memory, number):
    assert MachineShare(8, memory).num_processes(100) == number
