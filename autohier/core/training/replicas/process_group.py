"""Replicas over torch.distributed: gloo between CPUs, NCCL between CUDA devices.

Legend: N rows of all ranks, R rows of one rank.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from autohier.core.failures import is_out_of_memory
from autohier.core.training.replicas.base import SOLO, Replicas
from autohier.errors import InputError, LostProcessError, one_line

_FAILURE = "failure"
_INTERFACE = "GLOO_SOCKET_IFNAME"


@contextmanager
def open_replicas(
    rank: int, width: int, address: str, *, device: torch.device, timeout_s: float
) -> Iterator[Replicas]:
    """Join the processes that train a stage together; blocks until all have joined.

    Args:
        rank: number of this process, from 0.
        width: number of processes; a width of 1 opens no connection.
        address: "host:port" on the machine of rank 0, which listens there while the block runs.
        device: of this process; each process has its own.
        timeout_s: longest time that a rank waits for the others, also while they load clips and rank 0 writes
            a checkpoint.

    Raises:
        LostProcessError: if a rank does not join in time, here or in the block. If the block of one rank
            raises, the others raise this error in their next operation.
        InputError: if the address is not "host:port", or the rank does not lie below the width.
    """
    if not 0 <= rank < width:
        raise InputError("a rank lies between 0 and the width", got=f"rank {rank} of {width}")
    if width == 1:
        yield SOLO
        return
    replicas = _join(rank, width, address, device, timedelta(seconds=timeout_s))
    try:
        yield replicas
    except LostProcessError:
        replicas.leave()
        raise
    except BaseException as error:
        replicas.leave(f"rank {rank} failed with {type(error).__name__}: {error}")
        raise
    replicas.leave()


def _join(
    rank: int, width: int, address: str, device: torch.device, timeout: timedelta
) -> _ProcessGroupReplicas:
    host, port = _split(address)
    try:
        tcp_store: Any = distributed.TCPStore  # type: ignore[attr-defined]
        store = tcp_store(host, port, width, is_master=rank == 0, timeout=timeout)
        if device.type == "cuda":
            torch.cuda.set_device(device)
            options = distributed.ProcessGroupNCCL.Options()
            options._timeout = timeout  # noqa: SLF001
            group: Any = distributed.ProcessGroupNCCL(store, rank, width, options)
        else:
            group = distributed.ProcessGroupGloo(store, rank, width, _gloo_options(host, port, timeout))
    except RuntimeError as error:
        seconds = f"{timeout.total_seconds():g} s"
        raise LostProcessError(
            f"all processes that train a stage must join their process group within {seconds}",
            got=f"rank {rank} of {width} at {address}: {error}",
        ) from error
    reached = device if device.type == "cuda" else torch.device("cpu")
    return _ProcessGroupReplicas(rank, width, reached, group, store)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError('the address of a group of processes is "host:port"', got=address)
    return host.strip("[]"), int(port)


def _gloo_options(host: str, port: int, timeout: timedelta) -> Any:  # noqa: ANN401
    gloo: Any = distributed.ProcessGroupGloo
    options = gloo._Options()  # noqa: SLF001
    options._timeout = timeout  # noqa: SLF001
    if os.environ.get(_INTERFACE):
        device = gloo.create_default_device()
    else:
        # By the address that reaches rank 0: the name of a machine often stands for its loopback only.
        device = gloo.create_device(hostname=_own_address(host, port))
    options._devices = [device]  # noqa: SLF001
    return options


def _own_address(host: str, port: int) -> str:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)  # of datagrams: sends nothing
        own: str = probe.getsockname()[0]
    return own


@dataclass(slots=True)
class _ProcessGroupReplicas:
    """Replicas that are processes of a torch process group."""

    rank: int
    width: int
    device: torch.device
    """Device whose tensors the group can add up."""
    group: Any
    store: Any

    def sum_(self, tensor: Tensor) -> Tensor:
        moved = tensor.to(self.device).contiguous()
        self._run(lambda: self.group.allreduce([moved]).wait())
        return tensor if moved is tensor else tensor.copy_(moved)

    def gather(self, rows_R: Tensor) -> Tensor:
        sizes = torch.zeros(self.width, dtype=torch.int64)
        sizes[self.rank] = len(rows_R)
        counts = self.sum_(sizes).tolist()
        start = sum(counts[: self.rank])
        # Adding zeros is exact, and every rank gets the same bits.
        rows_N = rows_R.new_zeros((sum(counts), *rows_R.shape[1:]))
        rows_N[start : start + len(rows_R)] = rows_R
        return self.sum_(rows_N) if len(rows_N) else rows_N

    def leave(self, reason: str = "") -> None:
        """Leave the group, so that ranks that still wait for this one end."""
        if reason:
            with suppress(RuntimeError):
                self.store.set(_FAILURE, one_line(reason))
        with suppress(RuntimeError):
            self.group.abort()
        self.group = None

    def _run(self, operation: Callable[[], object]) -> None:
        try:
            operation()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise LostProcessError(
                "all processes that train a stage must take part in every step",
                got=self._reason() or f"rank {self.rank} lost the others: {error}",
            ) from error

    def _reason(self) -> str:
        """Return how another rank failed; empty if it is unknown."""
        with suppress(RuntimeError):
            if self.store.check([_FAILURE]):
                reason: str = self.store.get(_FAILURE).decode()
                return reason
        return ""
