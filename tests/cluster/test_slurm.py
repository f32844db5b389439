"""A real Slurm of virtual machines runs the batch script: time limit, lost machine, finished sweep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.config.launch import LaunchSettings
from autohier.launch.launch_file import write
from autohier.launch.slurm import slurm_job
from support.cluster.ray_cluster import HEALTH_CHECKS
from support.cluster.slurm import GPUS, PrivateSlurm, missing_for_slurm, open_slurm
from support.doc_blocks import ROOT
from support.sources.tiny_clips import SPACE_FILE
from support.waiting import wait_until

pytestmark = pytest.mark.slow

MACHINES = ("n1", "n2", "n3")
NUM_TRIALS = 40


@pytest.fixture
def slurm(shared: Path) -> Iterator[PrivateSlurm]:
    reason = missing_for_slurm()
    if reason is not None:
        pytest.skip(reason)
    with open_slurm(shared, machines=len(MACHINES)) as running:
        yield running


def submit(slurm: PrivateSlurm, shared: Path) -> tuple[str, Path]:
    """Submit a sweep, and return the number and the log of the job."""
    out = shared / "it's $HOME %j"
    settings = LaunchSettings.model_validate(
        {
            "search": {
                "space": str(SPACE_FILE),
                "name": "job",
                "trials": NUM_TRIALS,
                "data": str(shared / "data"),
                "out": str(out),
                "options": ["--gpus-per-trial", "0", "--cpus-per-trial", "1", "--confirm", "none"],
            },
            "machines": {"nodes": len(MACHINES), "cpus": 2, "gpus": GPUS, "memory_gb": 3},
            "environment": {**HEALTH_CHECKS, "PYTHONPATH": str(ROOT)},
            "slurm": {"time": "00:30:00", "notice_s": 60, "sbatch_options": ["--no-kill"]},
        }
    )
    path = write(slurm_job(settings), shared, overwrite=False)
    answer = re.search(r"Submitted batch job (\d+)", slurm.run("sbatch", path))
    assert answer is not None
    return answer[1], out / f"job-{answer[1]}.log"


def soon(slurm: PrivateSlurm, job: str) -> int:
    """Return a time limit in minutes that ends a job in 75 to 135 seconds, so that it is warned soon."""
    hours, minutes, seconds = map(int, slurm.field_of(job, "RunTime").split(":"))
    return math.ceil((3600 * hours + 60 * minutes + seconds + 75) / 60)


def test_job_is_queued_again_loses_a_machine_and_ends_with_the_finished_sweep(
    slurm: PrivateSlurm, shared: Path
) -> None:
    job, log = submit(slurm, shared)
    wait_until(lambda: log.exists() and " pass 2, epoch 1" in log.read_text(), "trials run", pause_s=1)
    slurm.run("scontrol", "update", f"JobId={job}", f"TimeLimit={soon(slurm, job)}")
    wait_until(lambda: slurm.field_of(job, "Restarts") == "1", "the time limit comes", pause_s=1)
    wait_until(lambda: slurm.state_of(job) == "PENDING", "the job is queued again", pause_s=1)
    first = log.read_text()
    assert "3 of 3 machines have joined: n1 (2 CPUs, 2 GPUs, 1.9 GB), n2 " in first
    assert "launch: the time limit is near: stopping" in first
    assert "launch: queued again (1 of at most 50 times)" in first
    for name in MACHINES:
        assert slurm.on(name, "find", "/tmp", "-maxdepth", "1", "-name", "r-*") == ""  # noqa: S108

    # Slurm itself starts a job that was queued again after two minutes.
    slurm.run("scontrol", "update", f"JobId={job}", "TimeLimit=60", "StartTime=now")
    wait_until(lambda: " pass 2, epoch 1" in log.read_text().removeprefix(first), "trials run", pause_s=1)
    slurm.network.machines["n3"].cut_power()
    wait_until(lambda: slurm.state_of(job) in {"COMPLETED", "FAILED", "TIMEOUT"}, "the job ends", pause_s=1)
    text = log.read_text()
    print(text)  # shown by pytest -s
    assert (slurm.state_of(job), slurm.field_of(job, "ExitCode")) == ("COMPLETED", "0:0"), text
    assert f"launch: job {job}, run 2: starting Ray at" in text
    assert f"sweep job: {NUM_TRIALS} trials" in text
    assert "Result: " in text
    assert list((log.parent / ".launch").iterdir()) == []
