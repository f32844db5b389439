"""Classes of failures, and the class of each error."""

from __future__ import annotations

import errno
from collections.abc import Mapping

import torch

from autohier.errors import (
    ClipError,
    DivergedError,
    FailureClass,
    InputError,
    LostProcessError,
    MissingDataError,
    OutOfMemoryError,
    StageDamagedError,
)

_MEMORY_TEXTS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
"""Texts of torch's errors; some kinds of memory have no error class of their own."""
_DISK_FULL = {
    errno.ENOSPC: "No space left on device",
    errno.EDQUOT: "quota exceeded",
    errno.EFBIG: "File too large",
}
"""Full disk, quota, or file size limit. Some libraries pass on the text only."""
_DISK_ERROR = {
    errno.EIO: "Input/output error",
    errno.EROFS: "Read-only file system",
    errno.ESTALE: "Stale file handle",
}
"""Broken disk, one that the system has made read-only, or a file server that has lost the file."""
_OF_DISKS: dict[FailureClass, Mapping[int, str]] = {"disk full": _DISK_FULL, "disk error": _DISK_ERROR}


def failure_class(error: Exception) -> FailureClass:
    """Return the class of the error that failed a trial.

    * "out of memory": of the device or the machine;
    * "not a number": training diverged because of the config;
    * "disk full": full disk or exhausted quota;
    * "disk error": broken disk, one that became read-only, or a file server that is away;
    * "bad data": clips, stages or weights that are missing, damaged or unexpected, and files that cannot be
      read or written;
    * "lost process": a process of the trial died;
    * "bug": everything else, see its traceback.
    """
    if is_out_of_memory(error):
        return "out of memory"
    for failure, texts in _OF_DISKS.items():
        if _is_of_disk(error, texts):
            return failure
    if isinstance(error, DivergedError):
        return "not a number"
    if isinstance(error, LostProcessError):
        return "lost process"
    if isinstance(error, ClipError | StageDamagedError | MissingDataError | InputError | OSError):
        return "bad data"
    return "bug"


def is_out_of_memory(error: Exception) -> bool:
    """Return True if the error is a failed memory allocation."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _MEMORY_TEXTS)


def breaks_device(error: Exception) -> bool:
    """Return True if the process can no longer use its accelerator: every later call fails too."""
    is_of_device = isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)
    return is_of_device and not is_out_of_memory(error)


def _is_of_disk(error: BaseException, texts: Mapping[int, str]) -> bool:
    """Return True if an error, or one that it was raised from, has a number or a text of the given ones."""
    number = error.errno if isinstance(error, OSError) else None
    if number in texts or any(text in str(error) for text in texts.values()):
        return True
    return error.__cause__ is not None and _is_of_disk(error.__cause__, texts)
