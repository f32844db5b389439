"""``autohier launch``: what it prints, writes, hands over and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import Autohier

SWEEP = ("--space", "demo", "--name", "a")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, code: int = 0) -> Path:
    """Put a program first into the path that writes down its arguments."""
    log = folder / f"{name}.log"
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{log}\nexit {code}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")
    return log


def test_dry_run_prints_and_writes_nothing(autohier: Autohier, folder: Path) -> None:
    ended = autohier("launch", "slurm", *SWEEP, "--dry-run")
    assert ended.code == 0
    assert ended.out.startswith("#!/usr/bin/env bash\n# Sweep a under Slurm")
    assert ended.err == "would run: sbatch a.sbatch\n"
    assert list(folder.iterdir()) == []


def test_file_is_written_with_the_command_that_submits_it(autohier: Autohier, folder: Path) -> None:
    ended = autohier("launch", "slurm", *SWEEP, "--to", "jobs dir", "--nodes", 4, "--gpus", 2)
    assert ended.out == 'wrote jobs dir/a.sbatch\nsubmit:   sbatch "jobs dir/a.sbatch"\n'
    script = (folder / "jobs dir/a.sbatch").read_text()
    assert "\n#SBATCH --nodes=4\n" in script
    assert "\n#SBATCH --gres=gpu:2\n" in script
    assert f'\n#SBATCH --output="{folder}/sweeps/a-%j.log"\n' in script
    assert (folder / "sweeps").is_dir()


def test_submit_hands_the_file_over(
    autohier: Autohier, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = program(folder, "sbatch", monkeypatch)
    assert autohier("launch", "slurm", *SWEEP, "--submit").code == 0
    assert log.read_text() == "a.sbatch\n"


def test_refused_submission_is_one_line(
    autohier: Autohier, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(folder, "sbatch", monkeypatch, code=1)
    ended = autohier("launch", "slurm", *SWEEP, "--submit")
    assert ended.error == "sbatch a.sbatch must succeed, but got exit code 1: see its message above"


def test_missing_scheduler_is_named(autohier: Autohier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ended = autohier("launch", "slurm", *SWEEP, "--submit")
    assert ended.error.startswith("--submit needs sbatch, but got none in $PATH: run this on a machine")


def test_changed_file_is_not_overwritten_unless_asked(autohier: Autohier, folder: Path) -> None:
    autohier("launch", "slurm", *SWEEP)
    assert autohier("launch", "slurm", *SWEEP).code == 0  # the same content
    more = ("launch", "slurm", *SWEEP, "--nodes", 2)
    assert "a launch file of this name exists, and its content differs" in autohier(*more).error
    assert autohier(*more, "--overwrite").code == 0
    assert "--nodes=2" in (folder / "a.sbatch").read_text()


def test_settings_file_is_read(autohier: Autohier, folder: Path) -> None:
    (folder / "launch.toml").write_text('[search]\nspace = "demo"\nname = "b"\n[slurm]\npartition = "gpu"\n')
    ended = autohier("launch", "slurm", "launch.toml", "--name", "c", "--dry-run")
    assert "#SBATCH --job-name=c\n" in ended.out
    assert "#SBATCH --partition=gpu\n" in ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--space", "demoo", "--name", "a"], "unknown search space 'demoo': did you mean 'demo'?"),
        (
            [*SWEEP, "--set", 'search.options=["--sampeler","gp"]'],
            "search.options: No such option: --sampeler",
        ),
        ([*SWEEP, "--set", 'search.options=["--out=x"]'], "no option that the launch file sets itself"),
        ([*SWEEP, "--set", 'search.options=["--set","pas_1.epochs=3"]'], "did you mean 'pass_1'?"),
        ([*SWEEP, "--set", "slurm.tyme=1"], "unknown setting 'slurm.tyme': did you mean 'time'?"),
        ([*SWEEP, "--out", "a\\b"], "must hold no backslash"),
    ],
)
def test_mistakes_are_found_before_the_job_waits(
    autohier: Autohier, options: list[str], message: str
) -> None:
    assert message in autohier("launch", "slurm", *options).error
