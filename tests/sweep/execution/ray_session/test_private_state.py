"""Guard of the place that changes Ray's private state: it fails when Ray moves or renames that state."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from autohier.sweep.execution.ray_session.private_state import (
    kill_shielded_processes,
    shielded_from_signals,
    use_prestarted_workers,
)
from autohier.sweep.execution.ray_session.session import be_quiet
from support.waiting import wait_until


def test_tune_gives_its_actors_no_environment_of_their_own(monkeypatch):
    be_quiet()
    from ray.tune.execution import class_cache

    def runtime_env():
        actor_class = class_cache._ActorClassCache().get(type("Empty", (), {}))
        return actor_class._default_options["runtime_env"]

    monkeypatch.setattr(class_cache, "DEFAULT_ENV_VARS", {"A": "1"})
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", {"RAY_CHDIR_TO_TRIAL_DIR"})
    assert runtime_env() == {"env_vars": {"A": "1", "RAY_CHDIR_TO_TRIAL_DIR": "0"}}
    use_prestarted_workers()
    assert runtime_env() == {}


WAITS = "import subprocess; print(flush=True); subprocess.run(['sleep', '60'])"
"""A program that prints a line and then waits for a process that writes to the same output."""


@contextmanager
def started_by_ray() -> Iterator[tuple[subprocess.Popen[bytes], IO[str]]]:
    """Start a process as Ray starts its own; yield it with its output, once it has printed a line."""
    from ray._private import services

    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as output:
        with os.fdopen(write_end, "w") as written:
            options = {"fate_share": False, "stdout_file": written, "stderr_file": subprocess.DEVNULL}
            command = [sys.executable, "-c", WAITS]
            process = services.start_ray_process(command, "raylet", **options).process
        try:
            assert output.readline() == "\n"
            yield process, output
        finally:
            process.kill()
            process.wait()


def blocked_signals(pid: int) -> set[int]:
    """Return what a process blocks; until its program is loaded, it blocks every signal."""

    def read() -> set[int]:
        status = Path(f"/proc/{pid}/status").read_text()
        bits = int(status.partition("SigBlk:")[2].split()[0], 16)
        return {number for number in range(1, 32) if bits >> (number - 1) & 1}

    wait_until(lambda: signal.SIGUSR1 not in read(), "a loaded program")
    return read()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's list of processes")
def test_processes_that_ray_starts_have_groups_of_their_own_and_see_no_signal():
    be_quiet()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with started_by_ray() as (process, _):
        assert os.getpgid(process.pid) == os.getpgid(0)
        assert signal.SIGTERM not in blocked_signals(process.pid)
    with shielded_from_signals(), started_by_ray() as (process, _):
        assert os.getpgid(process.pid) == process.pid
        assert blocked_signals(process.pid) >= {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    with started_by_ray() as (process, _):
        assert os.getpgid(process.pid) == os.getpgid(0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


@pytest.mark.parametrize(
    "end",
    [lambda process: process.terminate(), lambda _: kill_shielded_processes()],
    ids=["by Ray", "by a driver that exits late"],
)
def test_a_shielded_process_ends_with_its_children(end):
    be_quiet()
    with shielded_from_signals(), started_by_ray() as (process, output):
        end(process)
        assert process.wait() == -signal.SIGKILL
        assert output.read() == ""  # comes when its child has ended, too
