"""The classes of failures, and which error belongs to which."""

from __future__ import annotations

import errno

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
"""What torch says, by device; some of its kinds of memory have no error class of their own."""
_NO_ROOM = {
    errno.ENOSPC: "No space left on device",
    errno.EDQUOT: "quota exceeded",
    errno.EFBIG: "File too large",
}
"""On the disk, in the user's share of it, in what a file may grow to. Some libraries keep the text alone."""


def failure_class(error: Exception) -> FailureClass:
    """What a trial failed of.

    * "out of memory": the device's or the machine's;
    * "not a number": training diverged, by the fault of the setting;
    * "disk full", or the user's share of it;
    * "bad data": clips, stages or weights that are missing, damaged or not those that are asked for, and
      files that cannot be read or written;
    * "lost process": a process died that worked for the trial;
    * "bug": everything else; its traceback tells more.
    """
    if is_out_of_memory(error):
        return "out of memory"
    if _is_disk_full(error):
        return "disk full"
    if isinstance(error, DivergedError):
        return "not a number"
    if isinstance(error, LostProcessError):
        return "lost process"
    if isinstance(error, ClipError | StageDamagedError | MissingDataError | InputError | OSError):
        return "bad data"
    return "bug"


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was asked for and not given."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _MEMORY_TEXTS)


def breaks_device(error: Exception) -> bool:
    """Whether the process cannot compute on its accelerator any more: every later call fails as well."""
    is_of_device = isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)
    return is_of_device and not is_out_of_memory(error)


def _is_disk_full(error: Exception) -> bool:
    number = error.errno if isinstance(error, OSError) else None
    return number in _NO_ROOM or any(text in str(error) for text in _NO_ROOM.values())
