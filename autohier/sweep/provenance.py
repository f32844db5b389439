"""Provenance of a sweep: autohier's code, the environment, the machine, the data and the command line."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

from autohier.config.storage_url import without_password
from autohier.config.sweep import DataOrigin, Provenance, SweepPlan
from autohier.data.store.manifest import SourceOrigin, load_record
from autohier.data.store.paths import SOURCE
from autohier.digest import digest
from autohier.sweep.git import read_commit
from autohier.sweep.paths import clip_folder
from autohier.version import __version__

_PACKAGE = Path(__file__).parent.parent
_NVIDIA = Path("/proc/driver/nvidia")
"""Where the NVIDIA driver describes itself, without starting CUDA in this process."""
_CPU_FILE = Path("/proc/cpuinfo")


def provenance(plan: SweepPlan, extensions: Mapping[str, str]) -> Provenance:
    """Return the provenance of a sweep that this process starts now.

    Args:
        plan: checked plan of the sweep.
        extensions: package and version of every extension that the sweep uses.
    """
    return Provenance(
        autohier=__version__,
        python=platform.python_version(),
        torch=version("torch"),
        ray=version("ray"),
        optuna=version("optuna"),
        extensions=dict(extensions),
        git_commit=code_commit(_PACKAGE),
        environment=environment_digest(),
        devices=devices(_NVIDIA, _CPU_FILE),
        data=_data_origin(plan),
        command=tuple(map(without_password, sys.argv)),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def code_commit(package: Path) -> str | None:
    """Return the commit of a package's own code, with ``+changes`` if the checkout has uncommitted ones.

    Args:
        package: folder of the package. Its parent is the checkout, if it is one: a repository further up, or
            the one of the current folder, is another project's.
    """
    checkout = package.parent
    if not (checkout / ".git").exists():
        return _installed_commit()
    return read_commit(checkout)


def environment_digest() -> str:
    """Return the digest over the name and version of each installed package, as ``pip freeze`` lists them."""
    named = {(each.metadata["Name"] or "", each.version) for each in distributions()}
    return digest(sorted([re.sub(r"[-_.]+", "-", name).lower(), text] for name, text in named))


def devices(nvidia: Path, cpu_file: Path) -> tuple[str, ...]:
    """Return the accelerators of this machine with their driver; without any the processor.

    Args:
        nvidia: folder in which the NVIDIA driver describes its devices; need not exist.
        cpu_file: list of the processors, as Linux has it; need not exist.
    """
    models = [_value_of("Model", file) for file in sorted(nvidia.glob("gpus/*/information"))]
    driver = re.search(r"\d+\.\d+(\.\d+)?", _read(nvidia / "version"))
    suffix = f", driver {driver[0]}" if driver else ""
    named = tuple(f"{model}{suffix}" for model in models if model)
    return named or (_value_of("model name", cpu_file) or platform.processor() or platform.machine(),)


def _data_origin(plan: SweepPlan) -> DataOrigin | None:
    if plan.clips_fingerprint is None:
        return None
    folder = clip_folder(plan)
    origin = load_record(SourceOrigin, folder / SOURCE)
    return DataOrigin(
        store=str(folder),
        fingerprint=plan.clips_fingerprint,
        source=origin.path if origin else None,
        source_digest=origin.digest if origin else None,
    )


def _installed_commit() -> str | None:
    """Return the commit that pip recorded when it installed the package from a repository."""
    try:
        origin = json.loads(Distribution.from_name("autohier").read_text("direct_url.json") or "{}")
        commit = origin["vcs_info"]["commit_id"]
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None  # a release, or a folder that is only on the path: the version is all that is known
    return str(commit)


def _value_of(key: str, file: Path) -> str:
    """Return the first value of a key in a file of lines ``key : value``; empty if there is none."""
    found = re.search(rf"^{key}\s*:\s*(.+?)\s*$", _read(file), flags=re.MULTILINE)
    return found[1] if found else ""


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
