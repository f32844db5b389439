"""Which error belongs to which class of failures."""

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
OF_CUDA = "CUDA error: an illegal memory access was encountered"
NO_CUBLAS = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory"), "out of memory"),
        (RuntimeError("MPS backend out of memory"), "out of memory"),
        (RuntimeError(NO_CUBLAS), "out of memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (OutOfMemoryError("pass 1 must fit the memory"), "out of memory"),
        (DivergedError("the losses must be finite"), "not a number"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk full"),
        (OSError(errno.EFBIG, "File too large"), "disk full"),
        (OSError(FULL_DISK), "disk full"),
        (ClipError("a clip must be readable"), "bad data"),
        (StageDamagedError("a stage must be whole"), "bad data"),
        (MissingDataError("a frame must decode"), "bad data"),
        (InputError("recognizer.weights must name a file"), "bad data"),
        (PermissionError(errno.EACCES, "Permission denied"), "bad data"),
        (LostProcessError("the process must live on"), "lost process"),
        (torch.AcceleratorError(OF_CUDA), "bug"),
        (RuntimeError("the size of tensor a must match the size of tensor b"), "bug"),
        (TrialError("a trial must go on"), "bug"),
        (KeyError("memory"), "bug"),
    ],
    ids=repr,
)
def test_every_error_has_its_class(error, expected):
    assert failure_class(error) == expected
    assert is_out_of_memory(error) == (expected == "out of memory")


@pytest.mark.parametrize("allocate", [lambda: torch.empty(10**15), lambda: np.empty(10**15)])
def test_what_the_machine_itself_says_when_it_has_no_memory(allocate):
    with pytest.raises((RuntimeError, MemoryError), match="allocate") as told:
        allocate()
    assert failure_class(told.value) == "out of memory"


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), True),
        (RuntimeError(OF_CUDA), True),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (RuntimeError(NO_CUBLAS), False),
        (RuntimeError("shapes must match"), False),
        (DivergedError("the losses must be finite"), False),
    ],
    ids=repr,
)
def test_an_error_of_the_device_breaks_it_unless_memory_alone_was_short(error, broken):
    assert breaks_device(error) is broken
