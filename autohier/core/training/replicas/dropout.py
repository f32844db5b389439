"""Dropout whose mask does not depend on the number of ranks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from autohier.core.training.replicas.current_part import CurrentPart
from autohier.errors import InputError

_FORWARDS = (nn.Dropout.forward, nn.Dropout1d.forward, nn.Dropout2d.forward, nn.Dropout3d.forward)
_MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def require_known_dropout(name: str, dropout: _DropoutNd) -> None:
    """Check that a dropout layer can sample for the whole batch.

    Raises:
        InputError: if it is none of torch's Dropout, Dropout1d, Dropout2d and Dropout3d.
    """
    if type(dropout).forward not in _FORWARDS:
        raise unknown_sampling(name, dropout)


def unknown_sampling(name: str, layer: nn.Module) -> InputError:
    """Return the error of a layer that samples in a way that is not known."""
    return InputError(
        "a layer that samples must be a Dropout, Dropout1d, Dropout2d or Dropout3d",
        got=f"{type(layer).__name__} at {name}",
        hint="train this recognizer on one accelerator",
    )


def drop_rows_of_batch(dropout: _DropoutNd, part: CurrentPart, values: Tensor) -> Tensor:
    """Compute the forward pass of a dropout layer: sample the mask of all ranks, and apply this rank's rows.

    The mask takes the memory of the values of all ranks. One process samples the same mask for the part.
    """
    if not dropout.training or dropout.p == 0:
        same: Tensor = type(dropout).forward(dropout, values)
        return same
    first, number, number_of_all = part.rows(values, type(dropout).__name__)
    with torch.no_grad():
        ones = values.new_ones((number_of_all, *values.shape[1:]))
        order = _MEMORY_FORMATS.get(values.ndim)
        if order is not None and values.is_contiguous(memory_format=order):
            # Masks are sampled in the order of memory.
            ones = ones.contiguous(memory_format=order)
        factors: Tensor = type(dropout).forward(dropout, ones)
    return values * factors[min(first, number_of_all - number) :][:number]
