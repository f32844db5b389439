"""A sweep with Ray and training on a disk that fails at a sample of the changes of all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.fakes import faulty_disk
from support.fakes.faulty_disk import BROKEN, FULL
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.untimed_records import untimed_rows
from support.waiting import PATIENCE_S

COMMAND = (sys.executable, "-c", "from autohier.cli.main import main; main()")
OPTIONS = (
    *("--trials", "2", "--parallel", "1", "--name", "faulty", "--scheduler", "none"),
    *("--set", "pass_1.epochs=2", "--set", "pass_2.epochs=2", "--set", "search.max_passes=0"),
    *("--set", "initial=[]", "--set", "protocol.validation=paper"),
)
SHARES = ((0.06, FULL), (0.3, BROKEN), (0.55, FULL), (0.8, BROKEN))
"""Places of the failing change among all changes of a sweep."""
CHANGES = "sweeps.changes"


def run(folder: Path, *arguments: str, faults: Mapping[int, int]) -> subprocess.CompletedProcess[str]:
    """Run a command whose processes, also Ray's, count changes below ``sweeps`` and fail at some of them.

    Args:
        folder: working directory.
        arguments: of the command.
        faults: number of the error by the number of the change.
    """
    site = folder / "site"
    site.mkdir(exist_ok=True)
    hook = "from support.fakes.faulty_disk import install_from_environment\ninstall_from_environment()\n"
    (site / "sitecustomize.py").write_text(hook)
    roots = (str(site), str(Path(faulty_disk.__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
    faulty = {
        "FAULTY_FOLDER": str(folder / "sweeps"),
        "FAULTY_CHANGES": " ".join(f"{change}:{number}" for change, number in faults.items()),
        "PYTHONPATH": os.pathsep.join(roots),
    }
    return subprocess.run(
        (*COMMAND, *arguments),
        check=False,
        cwd=folder,
        env=os.environ | faulty,
        text=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )


def search(folder: Path, data: Path, faults: Mapping[int, int]) -> subprocess.CompletedProcess[str]:
    return run(folder, "search", str(SPACE_FILE), "--data", str(data), *OPTIONS, faults=faults)


def changes(folder: Path) -> list[str]:
    """Return the changes of all processes so far."""
    return [line.strip() for line in (folder / CHANGES).read_text().splitlines()]


def rows(folder: Path) -> dict[str, list[Any]]:
    return untimed_rows(folder / "sweeps" / "faulty")


@pytest.mark.slow
def test_a_sweep_ends_with_a_reason_and_resumes(tmp_path: Path, tiny_data: Path) -> None:
    undisturbed, disturbed = tmp_path / "sound", tmp_path / "failing"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
    ended = search(undisturbed, tiny_data, {})
    assert ended.returncode == 0, ended.stderr
    num_changes = len(changes(undisturbed))
    assert num_changes > 100

    faults = {round(share * num_changes): number for share, number in SHARES}
    ended, where = search(disturbed, tiny_data, faults), ""
    # Each driver that ends early has met at least one of the faults; a fault may also end a trial alone.
    for _ in faults:
        seen = changes(disturbed)
        where = "\n".join([*(seen[change - 1] for change in faults if change <= len(seen)), ended.stderr])
        assert ended.returncode in (0, 2), where
        assert "Traceback" not in ended.stdout + ended.stderr, where
        if ended.returncode:
            assert ended.stderr.startswith("autohier: "), where
            assert ended.stderr.count("\n") == 1, where
        plan = disturbed / "sweeps" / "faulty" / "sweep.json"
        again = ("resume", "faulty") if plan.exists() else None
        ended = run(disturbed, *again, faults=faults) if again else search(disturbed, tiny_data, faults)
        if not ended.returncode:
            break
    assert ended.returncode == 0, where
    assert len(changes(disturbed)) >= max(faults), where
    assert rows(disturbed) == rows(undisturbed), where
