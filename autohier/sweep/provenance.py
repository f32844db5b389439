"""Where the numbers of a sweep come from: versions, git commit, command line."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from autohier import __version__
from autohier.settings.sweep import Provenance


def provenance() -> Provenance:
    """Of this process, now."""
    return Provenance(
        autohier=__version__,
        python=platform.python_version(),
        torch=version("torch"),
        ray=version("ray"),
        optuna=version("optuna"),
        git_commit=_git_commit(),
        command=tuple(sys.argv),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _git_commit() -> str | None:
    commit = _git("rev-parse", "HEAD")
    if commit and _git("status", "--porcelain"):
        return f"{commit}+changes"
    return commit


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # no git, or no checkout: the sweep is as good, its origin is less known
    return answer.stdout.strip() or None
