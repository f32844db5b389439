"""Signals to all processes of a sweep, as ``timeout``, Slurm and systemd send them.

The sweep starts a Ray of its own, because its processes get the signal, too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from autohier.records.reader import read_records
from support.sources.tiny_clips import SPACE_FILE
from support.waiting import PATIENCE_S, wait_until

COMMAND = (sys.executable, "-m", "autohier")


def session_of(pid: int) -> list[int]:
    """Return the processes of a session, all of which a job manager knows."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == pid:
                members.append(int(stat.parent.name))
    return members


def living(pids: list[int]) -> list[int]:
    """Return the processes that have not ended; those that have may stay in the list for a while."""
    found = []
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [pid] if Path(f"/proc/{pid}/cmdline").read_bytes() else []
    return found


def signal_all(driver: int, number: signal.Signals) -> None:
    """Signal every process of the job, the driver last, as its own end must not explain theirs."""
    for pid in sorted(session_of(driver), reverse=True):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's list of processes")
@pytest.mark.parametrize(
    ("act", "number", "line"),
    [
        (os.killpg, signal.SIGTERM, "t0000 pass 2, epoch 2"),
        (signal_all, signal.SIGINT, "pass 1, epoch 2"),
    ],
    ids=["group, in a trial", "all, in pass 1"],
)
def test_a_sweep_ends_cleanly_if_all_its_processes_get_the_signal(
    tmp_path: Path,
    tiny_data: Path,
    act: Callable[[int, signal.Signals], None],
    number: signal.Signals,
    line: str,
) -> None:
    epochs = ("--set", "pass_1.epochs=200" if "pass 1," in line else "pass_2.epochs=200")
    options = ("--data", str(tiny_data), "--name", "ended", "--trials", "1", *epochs)
    driver = subprocess.Popen(
        (*COMMAND, "search", str(SPACE_FILE), *options),
        cwd=tmp_path,
        text=True,
        stdout=(tmp_path / "out").open("w"),
        stderr=(tmp_path / "err").open("w"),
        start_new_session=True,
    )

    def has_come_to_the_line() -> bool:
        assert driver.poll() is None, (tmp_path / "err").read_text()
        return line in (tmp_path / "out").read_text()

    wait_until(has_come_to_the_line, line)
    act(driver.pid, number)
    code = driver.wait(PATIENCE_S)

    out, err = (tmp_path / "out").read_text(), (tmp_path / "err").read_text()
    assert (code, err) == (128 + number, "")
    assert out.endswith(
        "interrupted after 0 of 1 trial; finished trials and stages are kept. Continue with:\n"
        "  autohier resume sweeps/ended\n"
    )
    assert "stopping; a second signal" in out
    assert "failed" not in out
    # Nothing is lost: the trial, if it was sampled, is not a failed one, and its epochs are kept.
    states = {row.state for row in read_records(tmp_path / "sweeps" / "ended" / "records").trials}
    assert states <= {"RUNNING"}
    assert list((tmp_path / "sweeps" / "stages" / "partial").iterdir())
    wait_until(lambda: not living(session_of(driver.pid)), "the end of Ray")
