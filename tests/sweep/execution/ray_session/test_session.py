"""Tests of a local Ray, and of clusters that cannot be joined."""

import getpass
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.machine import MachineShare
from autohier.sweep.execution.ray_session.session import be_quiet, local_options, ray_session
from support.sweep_runs.plans import make_plan

GIB = 1 << 30


def test_a_local_ray_gets_the_share_of_this_process(tmp_path):
    options = local_options(MachineShare(3, round(4 * GIB)), tmp_path)
    assert (options["num_cpus"], options["_memory"]) == (3, round(3 * GIB))
    assert local_options(MachineShare(3, 1), tmp_path)["_memory"] == GIB
    assert "_memory" not in local_options(MachineShare(3, None), tmp_path)


@pytest.mark.slow
def test_a_driver_pinned_to_one_core_runs_one_trial(tmp_path):
    """Nor does it need a home folder, the name of a user or a short TMPDIR."""
    code = """
import os, sys
from pathlib import Path
sys.path.insert(0, "tests")
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from autohier.sweep.execution.ray_session.session import ray_session
from support.sweep_runs.plans import make_plan
with ray_session(make_plan(Path(sys.argv[1]))) as share:
    print(share.cpus, share.parallel, share.node_cpus)
"""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in {"USER", "LOGNAME"}}
    answer = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"TMPDIR": str(long), "HOME": "/proc/no-home"},
    )
    assert answer.stdout == "1.0 1 1.0\n"


def test_a_user_without_a_name_and_a_home_gets_both(monkeypatch):
    def missing(*_: object) -> str:
        raise KeyError("uid not found")

    for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", missing)
    be_quiet()
    assert getpass.getuser() == f"user-{os.getuid()}"
    assert Path.home() == Path("/nonexistent")


def test_a_cluster_that_does_not_answer_is_an_error_at_once(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{held.getsockname()[1]}"
        for wrong in (address, "127.0.0.1:99999", "127.0.0.1:port"):
            expected = f"must be a reachable Ray cluster, but got {wrong} \\(.*: start it first"
            plan = make_plan(tmp_path, ray_address=wrong)
            with pytest.raises(InputError, match=expected), ray_session(plan):
                pass


def test_a_process_that_has_started_ray_is_refused(tmp_path, monkeypatch):
    be_quiet()
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    refused = pytest.raises(InputError, match=r"starts its own Ray session, .*: call ray\.shutdown\(\) first")
    with refused, ray_session(make_plan(tmp_path)):
        pass
