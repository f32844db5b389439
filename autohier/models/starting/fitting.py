"""Fitting starting weights into a recognizer by name.

Heads are left out, as classes differ. Tensors that depend on the data, such as those sized by the joints,
keep their initial values if the data differ. Everything else must fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from autohier.errors import InputError
from autohier.models.recognizer import Recognizer
from autohier.text import plural

_HEADS: Final = ("heads.", "fc.", "cls_head.", "head.", "classifier.")
"""Prefixes of heads: autohier's own, torchvision's, MMAction2's and PYSKL's, and usual ones."""
_COUNTER: Final = ".num_batches_tracked"
_NUM_NAMED: Final = 3
_COLOURS: Final = 3
_IMAGE_KERNEL_AXES: Final = 5


@dataclass(frozen=True, slots=True)
class Fit:
    """Tensors of a recognizer after starting weights were fitted into it."""

    num_loaded: int
    """Number of tensors that the weights set."""
    num_parameters: int
    """Number of values in them."""
    initial: tuple[str, ...]
    """Names of the tensors that keep their initial values."""

    @property
    def initial_text(self) -> str:
        """The names with block numbers as stars, e.g. "blocks.*.spatial.partitions (10)"."""
        counts: dict[str, int] = {}
        for name in self.initial:
            pattern = re.sub(r"\.\d+\.", ".*.", name)
            counts[pattern] = counts.get(pattern, 0) + 1
        return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in counts.items())


def fit_weights(
    recognizer: Recognizer,
    tensors: Mapping[str, Tensor],
    *,
    other_layout: bool = False,
    widen: bool = False,
    hint: str = "",
) -> Fit:
    """Set the tensors of a recognizer, in place.

    Args:
        recognizer: network to set.
        tensors: tensors by the recognizer's names; heads are ignored.
        other_layout: True if they were trained on other joints, so that `Recognizer.data_tensors` keep their
            initial values even if the shapes are equal.
        widen: True lets a convolution of the recognizer read more channels than that of the tensors, behind
            its own; their weights are zero. A pathway that joins others then starts as it was alone.
        hint: for the error.

    Raises:
        InputError: if tensors are missing, unexpected or of another shape; names the first of each.
    """
    own, of_data = recognizer.state_dict(), recognizer.data_tensors()
    tensors = recognizer.stored_tensors(tensors)
    given = {
        name: _with_channels(tensor, own.get(name)) if name in of_data else tensor
        for name, tensor in tensors.items()
        if name in own or not name.startswith(_HEADS)
    }
    if widen:
        given = {name: _widened(tensor, own.get(name)) for name, tensor in given.items()}
    left = {
        name
        for name in of_data & own.keys()
        if other_layout or (name in given and given[name].shape != own[name].shape)
    }
    fitting = {name: given[name] for name in own if name in given and name not in left}
    # Files of old PyTorch versions lack the counters of norms.
    missing = [
        name for name in own if name not in fitting and name not in left and not name.endswith(_COUNTER)
    ]
    unexpected = [name for name in given if name not in own]
    shapes = {
        name: f"{name} is {tuple(tensor.shape)}, not {tuple(own[name].shape)}"
        for name, tensor in fitting.items()
        if tensor.shape != own[name].shape
    }
    faults = [
        _fault("missing", missing),
        _fault("unexpected", unexpected),
        _fault("of another shape", list(shapes), list(shapes.values())),
    ]
    if any(faults):
        raise InputError(
            "starting weights must have the recognizer's names and shapes",
            got="; ".join(filter(None, faults)),
            hint=hint,
        )
    recognizer.load_state_dict(own | fitting)
    return Fit(len(fitting), sum(each.numel() for each in fitting.values()), tuple(_in_order(own, left)))


def is_head(name: str) -> bool:
    """Return True if a tensor that a recognizer does not have belongs to a head."""
    return name.startswith(_HEADS)


def _in_order(names: Iterable[str], some: set[str]) -> Iterable[str]:
    return (name for name in names if name in some)


def _fault(what: str, names: Sequence[str], texts: Sequence[str] = ()) -> str:
    if not names:
        return ""
    shown = ", ".join((texts or names)[:_NUM_NAMED])
    return f"{plural(len(names), 'tensor')} {what} ({shown}{', ...' if len(names) > _NUM_NAMED else ''})"


def _widened(tensor: Tensor, own: Tensor | None) -> Tensor:
    """Return a convolution's weights with zeros for further channels that it reads in the recognizer."""
    if own is None or own.ndim != _IMAGE_KERNEL_AXES or own.ndim != tensor.ndim:
        return tensor
    (num_written, num_read, *kernel), (own_written, own_read, *own_kernel) = tensor.shape, own.shape
    if (num_written, kernel) != (own_written, own_kernel) or num_read >= own_read:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(num_written, own_read - num_read, *kernel)], dim=1)


def _with_channels(tensor: Tensor, own: Tensor | None) -> Tensor:
    """Convert the first convolution of images between three colors and gray; other tensors stay as they are.

    The network then computes on gray images what it computes on their three equal colors.
    """
    if own is None or own.ndim != _IMAGE_KERNEL_AXES or own.ndim != tensor.ndim:
        return tensor
    if (tensor.shape[1], own.shape[1]) == (_COLOURS, 1):
        return tensor.sum(dim=1, keepdim=True)
    if (tensor.shape[1], own.shape[1]) == (1, _COLOURS):
        return tensor.expand(-1, _COLOURS, -1, -1, -1) / _COLOURS
    return tensor
