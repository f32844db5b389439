"""Devices: one code path for the CPU and for accelerators."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from autohier.errors import InputError


@dataclass(frozen=True, slots=True)
class Device:
    """Where a trial computes, and in which numerics."""

    torch_device: torch.device
    bf16: bool
    deterministic: bool
    compile_network: bool

    def prepare(self, network: nn.Module) -> nn.Module:
        """Move a network here, in the memory order that its batches have; compiled where asked for."""
        network.to(self.torch_device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        if self.compile_network:
            network.compile()
        return network

    def autocast(self) -> AbstractContextManager[object]:
        """The precision of a forward pass."""
        return torch.autocast(self.torch_device.type, torch.bfloat16) if self.bf16 else nullcontext()

    @property
    def numerics_class(self) -> dict[str, str]:
        """What changes the last bits of a result, for the keys of stages."""
        return {
            "device": self.torch_device.type,
            "precision": "bf16" if self.bf16 else "float32",
            "deterministic": str(self.deterministic),
            "compiled": str(self.compile_network),
            "torch": torch.__version__.split("+")[0],
        }


def open_device(
    name: str, *, precision: str, deterministic: bool, compile_network: bool, num_threads: int
) -> Device:
    """Choose a device and set this process up for it.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1", "mps", ...
        precision: "bf16" autocasts on accelerators; the CPU always computes in float32.
        deterministic: whether equal inputs must give equal bits; some operations have no such kernel on
            accelerators and then warn.
        compile_network: whether to use torch.compile on accelerators.
        num_threads: of the CPU.

    Raises:
        InputError: where there is no such device.
    """
    device = _find(name)
    on_cpu = device.type == "cpu"
    torch.set_num_threads(num_threads)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=not on_cpu)
    torch.backends.cudnn.benchmark = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    return Device(
        torch_device=device,
        bf16=precision == "bf16" and not on_cpu,
        deterministic=deterministic,
        compile_network=compile_network and not on_cpu,
    )


def _find(name: str) -> torch.device:
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            "--device must be one that this machine has", got=name, remedy="write auto, cpu or cuda"
        ) from error
    return device
