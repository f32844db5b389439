"""The commit of a checkout is read without running a program that the checkout configures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autohier.sweep.git import read_commit


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, whose owner configures nothing."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file.txt").write_text("content")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def test_a_commit_and_its_changes_are_named(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert read_commit(checkout) == commit
    (checkout / "untracked").touch()
    assert read_commit(checkout) == commit
    (checkout / "file.txt").write_text("changed")
    assert read_commit(checkout) == f"{commit}+changes"
    assert read_commit(checkout.parent) is None


def test_no_program_of_the_checkout_runs(checkout: Path) -> None:
    ran = checkout.parent / "ran"
    program = checkout.parent / "program"
    program.write_text(f'#!/bin/sh\necho "$@" >> {ran}\ncat\n')
    program.chmod(0o755)
    for name in ("core.fsmonitor", "filter.any.clean", "filter.any.smudge", "filter.an.other.process"):
        git(checkout, "config", name, str(program))
    git(checkout, "config", "filter.any.required", "true")
    git(checkout, "config", "core.hooksPath", str(checkout.parent / "hooks"))
    (checkout.parent / "hooks").mkdir()
    for hook in ("post-index-change", "query-watchman", "fsmonitor-watchman"):
        (checkout.parent / "hooks" / hook).symlink_to(program)
    (checkout / ".gitattributes").write_text("*.txt filter=any\nother filter=an.other\n")
    (checkout / "file.txt").write_text("changed")
    os.utime(checkout / "file.txt", (1, 1))
    commit = read_commit(checkout)
    assert commit is not None
    assert commit.endswith("+changes")
    assert not ran.exists()
    # The check sees what such a checkout would run.
    subprocess.run(["git", "-C", str(checkout), "status"], check=False, capture_output=True)
    assert ran.exists()
