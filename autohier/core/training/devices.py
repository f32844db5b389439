"""Devices: one code path for the CPU and for accelerators."""

from __future__ import annotations

import gc
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from autohier.errors import InputError

ACCELERATOR = "accelerator"
"""Name of a device that must not be the CPU: the accelerator that a trial holds."""
_PEAK_TFLOPS = {
    "B200": 2250,
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "H200": 989,
    "GH200": 989,
    "A100": 312,
    "A40": 150,
    "A10": 125,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
}
"""Dense bfloat16 TFLOP/s by a part of the accelerator's name, the first match counts; from data sheets."""
_MEMORY_ORDERS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Memory formats of kernels, by their number of axes."""
_PROBE_CHANNELS, _PROBE_PX, _PROBE_IMAGES, _PROBE_TRIES = 256, 32, 8, 5


@dataclass(frozen=True, slots=True)
class Device:
    """Device of a trial, and its numerics."""

    torch_device: torch.device
    bf16: bool
    deterministic: bool
    compile_network: bool

    def prepare(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in the memory format of its batches, and compile it if configured."""
        network.to(self.torch_device)
        for parameter in network.parameters():
            if parameter.ndim in _MEMORY_ORDERS:
                parameter.data = parameter.data.contiguous(memory_format=_MEMORY_ORDERS[parameter.ndim])
        if self.compile_network:
            network.compile()
        return network

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context manager for the precision of a forward pass."""
        return torch.autocast(self.torch_device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def free_memory(self) -> None:
        """Free cached memory that nothing refers to."""
        gc.collect()
        if self.torch_device.type != "cpu":
            torch.accelerator.empty_cache()

    @property
    def numerics_class(self) -> dict[str, str]:
        """Numerics class of stage keys: what changes the last bits of a result."""
        return {
            "device": self.torch_device.type,
            "precision": "bf16" if self.bf16 else "float32",
            "deterministic": str(self.deterministic),
            "compiled": str(self.compile_network),
        }


def open_device(
    name: str, *, precision: str, deterministic: bool, compile_network: bool, num_threads: int
) -> Device:
    """Choose a device and set this process up for it.

    Args:
        name: "auto", "accelerator", "cpu", "cuda", "cuda:1", "mps", ...; "auto" takes the CPU if there is no
            accelerator, "accelerator" does not.
        precision: "bf16" autocasts on accelerators; the CPU always computes in float32.
        deterministic: equal inputs give equal bits; operations without such a kernel on the accelerator log
            a warning.
        compile_network: use torch.compile on accelerators.
        num_threads: number of CPU threads.

    Raises:
        InputError: if there is no such device.
    """
    device = find_device(name)
    on_cpu = device.type == "cpu"
    torch.set_num_threads(num_threads)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    _be_deterministic(deterministic, warn_only=not on_cpu, compiled=compile_network and not on_cpu)
    torch.backends.cudnn.benchmark = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    return describe_device(
        device, precision=precision, deterministic=deterministic, compile_network=compile_network
    )


def describe_device(
    torch_device: torch.device, *, precision: str, deterministic: bool, compile_network: bool
) -> Device:
    """Return a device with its numerics, which this process need not have; see `open_device`."""
    on_cpu = torch_device.type == "cpu"
    return Device(
        torch_device=torch_device,
        bf16=precision == "bf16" and not on_cpu,
        deterministic=deterministic,
        compile_network=compile_network and not on_cpu,
    )


def _be_deterministic(deterministic: bool, *, warn_only: bool, compiled: bool) -> None:
    if compiled:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    else:
        # Equivalent without the compiler, whose import by the function above takes a second.
        torch.set_deterministic_debug_mode(("warn" if warn_only else "error") if deterministic else "default")


def find_device(name: str) -> torch.device:
    """Return the device that `open_device` chooses for a name.

    Raises:
        InputError: if there is no such device.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    if name == ACCELERATOR:
        return find_accelerator()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device must name a device that torch {torch.__version__} can use on this machine",
            got=f"{name}; torch finds {_found_text()}",
            hint="write --device auto, which takes the best of these, or --device cpu",
        ) from error
    return device


def find_accelerator() -> torch.device:
    """Return the accelerator of this machine.

    Raises:
        InputError: if torch finds none.
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        raise InputError(
            "torch must find the GPU of a trial on its machine",
            got=f"torch {torch.__version__} on {socket.gethostname()}, which finds {_found_text()}",
            hint="install a torch with CUDA there, or compute on the CPU with --gpus-per-trial 0",
        )
    return accelerator


def _found_text() -> str:
    """Return the devices that torch finds, e.g. "no accelerator, only the CPU"."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return "no accelerator, only the CPU"
    return f"{torch.accelerator.device_count()} of type {accelerator.type}, and the CPU"


@contextmanager
def seeded_random(device: torch.device, seed: int) -> Iterator[None]:
    """Seed what layers such as dropout sample, and restore the random state of the process afterwards.

    Args:
        device: of the network.
        seed: of the CPU's and the device's default generators.
    """
    on_cpu = device.type == "cpu"
    with torch.random.fork_rng([] if on_cpu else [device], device_type="cuda" if on_cpu else device.type):
        # torch.manual_seed would also seed other devices, whose state is not restored.
        torch.default_generator.manual_seed(seed)
        if not on_cpu:
            torch.get_device_module(device).manual_seed(seed)
        yield


def peak_flops(device: torch.device) -> float | None:
    """Return the peak operations per second of a device; a multiply-add counts as two.

    Returns:
        For an accelerator its dense bfloat16 figure, None if it is unknown. For the CPU the rate of a large
        float32 convolution on the threads in use, which is above that of a matrix product on processors
        for which torch's matrix library has no fast path.
    """
    if device.type == "cpu":
        return _measured_flops()
    if device.type != "cuda":
        return None
    return _listed_flops(torch.cuda.get_device_name(device))


def _listed_flops(name: str) -> float | None:
    for part, tflops in _PEAK_TFLOPS.items():
        if re.search(rf"\b{part}\b", name):
            return tflops * 1e12
    return None


@torch.no_grad()
def _measured_flops() -> float:
    images = torch.rand(_PROBE_IMAGES, _PROBE_CHANNELS, _PROBE_PX, _PROBE_PX)
    images = images.to(memory_format=torch.channels_last)
    kernels = torch.rand(_PROBE_CHANNELS, _PROBE_CHANNELS, 3, 3)
    seconds = []
    for _ in range(_PROBE_TRIES):
        started = time.perf_counter()
        F.conv2d(images, kernels, padding=1)
        seconds.append(time.perf_counter() - started)
    return 2 * kernels.numel() * _PROBE_IMAGES * _PROBE_PX**2 / min(seconds)
