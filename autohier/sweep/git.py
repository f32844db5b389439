"""State of a git checkout, read without running any program that the checkout configures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_TIMEOUT_S = 10
_SAFE: Mapping[str, str] = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "protocol.allow": "never",  # a partial clone would fetch missing objects
}


def read_commit(checkout: Path) -> str | None:
    """Return the commit of a checkout, with ``+changes`` if it has uncommitted ones; None without git.

    Any folder may be a checkout that names programs of its own to run: monitors of files, hooks, and filters
    of content.
    """
    commit = _git(checkout, {}, "rev-parse", "HEAD")
    if commit is None:
        return None
    arguments = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
    return f"{commit}+changes" if _git(checkout, _without_filters(checkout), *arguments) else commit


def _without_filters(checkout: Path) -> dict[str, str]:
    """Return settings that empty the commands of all filters that a checkout configures."""
    names = (_git(checkout, {}, "config", "--name-only", "--get-regexp", r"^filter\.") or "").splitlines()
    filters = {name.rpartition(".")[0] for name in names}
    commands = {f"{name}.{command}": "" for name in filters for command in ("clean", "smudge", "process")}
    return commands | {f"{name}.required": "false" for name in filters}


def _git(checkout: Path, settings: Mapping[str, str], *arguments: str) -> str | None:
    # Variables of git's own, e.g. in a hook, would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = {**_SAFE, **settings}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    try:
        answer = subprocess.run(
            ["git", "-C", str(checkout), "--no-optional-locks", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None  # without git, only the commit is unknown
    return answer.stdout.strip() or None
