"""Sweeps with Ray and training on a disk that fails once, at a sample of the changes of all processes."""

from __future__ import annotations

import os
import subprocess
import sys
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


def run(
    folder: Path, *arguments: str, first: int = 0, number: int = FULL
) -> subprocess.CompletedProcess[str]:
    """Run a command whose processes, also Ray's, fail at a change below ``sweeps``; 0 counts only."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    hook = "from support.fakes.faulty_disk import install_from_environment\ninstall_from_environment()\n"
    (site / "sitecustomize.py").write_text(hook)
    roots = (str(site), str(Path(faulty_disk.__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
    faulty = {
        "FAULTY_FOLDER": str(folder / "sweeps"),
        "FAULTY_FIRST": str(first),
        "FAULTY_NUMBER": str(number),
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


def search(folder: Path, data: Path, **faults: int) -> subprocess.CompletedProcess[str]:
    return run(folder, "search", str(SPACE_FILE), "--data", str(data), *OPTIONS, **faults)


def rows(folder: Path) -> dict[str, list[Any]]:
    return untimed_rows(folder / "sweeps" / "faulty")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> tuple[Path, int]:
    """A sweep on a sound disk, and the number of its changes."""
    folder = tmp_path_factory.mktemp("sound")
    ended = search(folder, tiny_data)
    assert ended.returncode == 0, ended.stderr
    return folder, len((folder / CHANGES).read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(("share", "number"), SHARES)
def test_a_sweep_ends_with_a_reason_and_resumes(
    sound: tuple[Path, int], tmp_path: Path, tiny_data: Path, share: float, number: int
) -> None:
    undisturbed, num_changes = sound
    assert num_changes > 100
    first = round(share * num_changes)
    ended = search(tmp_path, tiny_data, first=first, number=number)
    changes = (tmp_path / CHANGES).read_text().splitlines()
    assert len(changes) >= first
    where = f"{changes[first - 1].strip()}: {ended.stderr}"
    assert ended.returncode in (0, 2), where
    assert "Traceback" not in ended.stdout + ended.stderr, where
    if ended.returncode:
        assert ended.stderr.startswith("autohier: "), where
        assert ended.stderr.count("\n") == 1, where
    plan = tmp_path / "sweeps" / "faulty" / "sweep.json"
    again = run(tmp_path, "resume", "faulty") if plan.exists() else search(tmp_path, tiny_data)
    assert again.returncode == 0, where + again.stderr
    assert rows(tmp_path) == rows(undisturbed)
