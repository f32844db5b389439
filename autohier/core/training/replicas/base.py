"""Interface of replicas, and the replica that trains alone.

Legend: N rows of all ranks, R rows of one rank.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import torch
from torch import Tensor


class Replicas(Protocol):
    """Processes that train one network together. Every rank must call the same methods in the same order.

    Every rank gets the same bits from `sum_` and `gather`, so that the networks of the ranks stay equal.

    Methods raise LostProcessError if another rank has ended, or does not take part in time.
    """

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""

    @property
    def width(self) -> int:
        """Number of processes."""

    def sum_(self, tensor: Tensor) -> Tensor:
        """Add up the tensors of all ranks in place, and return the sum. Shapes and dtypes must be equal."""

    def gather(self, rows_R: Tensor) -> Tensor:
        """Return the rows of all ranks in the order of ranks: [N, ...]. A rank may have none."""


class _Solo:
    """One process that trains alone."""

    rank: Final = 0
    width: Final = 1

    def sum_(self, tensor: Tensor) -> Tensor:
        return tensor

    def gather(self, rows_R: Tensor) -> Tensor:
        return rows_R


SOLO: Final[Replicas] = _Solo()
"""One process that trains alone, without any communication."""


def share_bytes(content: bytes, replicas: Replicas) -> bytes:
    """Return the content that rank 0 passes, on every rank."""
    if replicas.width == 1:
        return content
    own = bytearray(content if replicas.rank == 0 else b"")
    bytes_R = torch.frombuffer(own, dtype=torch.uint8) if own else torch.empty(0, dtype=torch.uint8)
    return replicas.gather(bytes_R).numpy().tobytes()


@torch.no_grad()
def share_tensors(tensors: Iterable[Tensor], replicas: Replicas) -> None:
    """Overwrite the tensors of all ranks with those of rank 0."""
    if replicas.width == 1:
        return
    for tensor in tensors:
        # Contiguous, as a collective operation may need; a sum with zeros is exact.
        copy = tensor.detach().clone(memory_format=torch.contiguous_format)
        tensor.copy_(replicas.sum_(copy if replicas.rank == 0 else copy.zero_()))
