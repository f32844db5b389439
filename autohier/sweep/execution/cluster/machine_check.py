"""The check of a machine, on that machine: shared folders, clips, versions, disk space, GPU. Without Ray."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autohier.core.stages.store.remote_stages import find_remote
from autohier.data.store.reader import ClipStore
from autohier.errors import AutohierError, MissingDataError, cause_text, one_line
from autohier.files import write_atomically

_POLL_S = 0.2
_VISIBLE_S = 10.0
"""Time in which a shared file system shows a file of another machine."""
_FREE_BYTES = 100 << 20
_MASKS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Variables with which Ray hides the GPUs from a process that holds none, such as this check."""
_PYTHON = "Python"
_NO_GPU = 3
_FIND_GPU = f"""
import sys, torch
print(torch.__version__)
sys.exit(0 if torch.accelerator.is_available() else {_NO_GPU})
"""


@dataclass(frozen=True, slots=True)
class Demands:
    """Demands of a driver on every machine, before a trial may run there."""

    folder: Path
    """Folder below ``--out`` in which driver and machines leave files for each other."""
    token: str
    """Content of the driver's file."""
    clip_folder: Path
    fingerprint: str
    """Fingerprint of the clips."""
    stage_folder: Path
    versions: Mapping[str, str]
    """Versions of Python and of packages, from `installed_versions`."""
    needs_gpu: bool
    weights: tuple[Path, ...] = ()
    """Files and stages that networks start from."""

    @property
    def driver_file(self) -> Path:
        """File that the driver writes and every machine reads."""
        return self.folder / "driver"

    def machine_file(self, node: str) -> Path:
        """Return the file that a machine writes and the driver reads."""
        return self.folder / node


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings of the check of a machine."""

    faults: tuple[str, ...]
    """Reasons why no trial may run on the machine."""
    time_s: float
    """The machine's clock at the end of the check, in seconds since 1970."""


def check_machine(demands: Demands, node: str) -> Findings:
    """Check this machine, and leave the token in its file.

    Args:
        demands: of the driver.
        node: Ray's identifier of this machine.
    """
    faults = [*_folder_faults(demands, node), *_clip_faults(demands)]
    faults += _version_faults(demands.versions)
    faults += [*_space_faults(demands.stage_folder), *_space_faults(Path(tempfile.gettempdir()))]
    faults += _remote_faults(demands.stage_folder)
    faults += (f"it has no weights at {path}" for path in demands.weights if not path.exists())
    if demands.needs_gpu:
        faults += _gpu_faults()
    return Findings(tuple(one_line(fault) for fault in faults), time.time())


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of some packages on this machine; "missing" for a missing one.

    A local part such as "+cu130" is left out: the driver's machine may have another build of torch.
    """
    found = {_PYTHON: ".".join(platform.python_version_tuple()[:2])}
    for package in packages:
        try:
            found[package] = version(package).partition("+")[0]
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def wait_for_content(path: Path, content: str, timeout_s: float = _VISIBLE_S) -> bool:
    """Wait until a file has the given content; return False on timeout."""
    deadline = time.monotonic() + timeout_s
    while not has_content(path, content):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def has_content(path: Path, content: str) -> bool:
    """Return True if a file can be read and has the given content."""
    try:
        return path.read_text(encoding="utf-8") == content
    except (OSError, ValueError):
        return False


def _folder_faults(demands: Demands, node: str) -> Iterator[str]:
    if not wait_for_content(demands.driver_file, demands.token):
        yield f"it does not share the sweep's folder: it does not see the driver's file {demands.driver_file}"
        return
    try:
        write_atomically(demands.machine_file(node), demands.token.encode())
    except OSError as error:
        yield f"it cannot write to the sweep's folder ({cause_text(error)})"


def _clip_faults(demands: Demands) -> Iterator[str]:
    try:
        fingerprint = ClipStore.open(demands.clip_folder).fingerprint
    except MissingDataError:  # whose hint, to prepare them, is of no use there
        yield f"it does not share the data: it sees no clips in {demands.clip_folder}"
        return
    except (AutohierError, OSError) as error:
        yield f"it does not share the data: {cause_text(error)}"
        return
    if fingerprint != demands.fingerprint:
        yield (
            f"it has other clips in {demands.clip_folder}: fingerprint {fingerprint[:12]}, "
            f"not {demands.fingerprint[:12]}"
        )


def _version_faults(expected: Mapping[str, str]) -> Iterator[str]:
    found = installed_versions(tuple(package for package in expected if package != _PYTHON))
    for package, wanted in expected.items():
        if found[package] != wanted:
            yield f"{package} {found[package]} is not the driver's {wanted}"


def _space_faults(folder: Path) -> Iterator[str]:
    existing = next((each for each in (folder, *folder.parents) if each.is_dir()), None)
    if existing is None:
        return
    free = shutil.disk_usage(existing).free
    if free < _FREE_BYTES:
        yield f"only {free >> 20} MB are free in {existing}"


def _remote_faults(stage_folder: Path) -> Iterator[str]:
    """Try the object storage to which stages are copied: its credentials may be on one machine only."""
    try:
        if (remote := find_remote(stage_folder)) is not None:
            remote.check()
    except (OSError, AutohierError) as error:
        yield f"the copies of the stages cannot be reached: {error}"


def _gpu_faults() -> Iterator[str]:
    """Ask torch in a process of its own, from which Ray hides no GPU."""
    environment = {name: value for name, value in os.environ.items() if name not in _MASKS or value}
    ended = subprocess.run(
        [sys.executable, "-c", _FIND_GPU], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode == _NO_GPU:
        yield f"its torch {ended.stdout.strip()} finds no GPU"
    elif ended.returncode:
        yield f"its torch cannot be imported: {ended.stderr.strip().rpartition(chr(10))[2]}"
