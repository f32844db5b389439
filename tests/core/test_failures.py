"""Failure classes of errors."""

import errno

import numpy as np
import pytest
import torch

from autohier.core.failures import breaks_device, failure_class, is_out_of_memory
from autohier.errors import (
    ClipError,
    DivergedError,
    InputError,
    LostProcessError,
    MissingDataError,
    OutOfMemoryError,
    StageDamagedError,
    TrialError,
)

FULL_DISK = "Error while serializing: I/O error: No space left on device (os error 28)"
ILLEGAL_ACCESS = "CUDA error: an illegal memory access was encountered"
CUBLAS_ALLOCATION = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"


def caused_by(cause):
    error = MissingDataError("a shard must be readable")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory"), "out of memory"),
        (RuntimeError("MPS backend out of memory"), "out of memory"),
        (RuntimeError(CUBLAS_ALLOCATION), "out of memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (OutOfMemoryError("pass 1 must fit the memory"), "out of memory"),
        (DivergedError("the losses must be finite"), "not a number"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk full"),
        (OSError(errno.EFBIG, "File too large"), "disk full"),
        (OSError(FULL_DISK), "disk full"),
        (OSError(errno.EIO, "Input/output error"), "disk error"),
        (OSError(errno.EROFS, "Read-only file system"), "disk error"),
        (OSError(errno.ESTALE, "Stale file handle"), "disk error"),
        (OSError("while reading: Input/output error"), "disk error"),
        (caused_by(OSError(errno.EIO, "Input/output error")), "disk error"),
        (caused_by(OSError(errno.ENOENT, "No such file")), "bad data"),
        (ClipError("a clip must be readable"), "bad data"),
        (StageDamagedError("a stage must be undamaged"), "bad data"),
        (MissingDataError("a frame must decode"), "bad data"),
        (InputError("recognizer.weights must name a file"), "bad data"),
        (PermissionError(errno.EACCES, "Permission denied"), "bad data"),
        (LostProcessError("a worker process died"), "lost process"),
        (torch.AcceleratorError(ILLEGAL_ACCESS), "bug"),
        (RuntimeError("the size of tensor a must match the size of tensor b"), "bug"),
        (TrialError("a trial must not fail"), "bug"),
        (KeyError("memory"), "bug"),
    ],
    ids=repr,
)
def test_each_error_has_its_failure_class(error, expected):
    assert failure_class(error) == expected
    assert is_out_of_memory(error) == (expected == "out of memory")


@pytest.mark.parametrize("allocate", [lambda: torch.empty(10**15), lambda: np.empty(10**15)])
def test_real_allocation_errors_are_out_of_memory(allocate):
    with pytest.raises((RuntimeError, MemoryError), match="allocate") as caught:
        allocate()
    assert failure_class(caught.value) == "out of memory"


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), True),
        (RuntimeError(ILLEGAL_ACCESS), True),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (RuntimeError(CUBLAS_ALLOCATION), False),
        (RuntimeError("shapes must match"), False),
        (DivergedError("the losses must be finite"), False),
    ],
    ids=repr,
)
def test_device_errors_other_than_out_of_memory_break_the_device(error, broken):
    assert breaks_device(error) is broken
