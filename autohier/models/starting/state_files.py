"""Reading the tensors of a weights file without executing anything in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from autohier.errors import InputError, damage_text

_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "net")
"""Entries of a checkpoint that hold the network's tensors: MMCV and MMEngine, then usual names."""
_PARALLEL: Final = "module."
"""Prefix of all names in a network that torch's DataParallel wrapped."""


def read_state_dict(path: Path, *, hint: str) -> dict[str, Tensor]:
    """Read the tensors of a network by name.

    A checkpoint may wrap them, e.g. as ``state_dict`` next to ``meta``, as those of MMCV do.

    Args:
        path: ``.safetensors`` file, or ``.pth``/``.pt`` file that torch reads with ``weights_only=True``.
        hint: for the error.

    Raises:
        InputError: if the file cannot be read, holds other objects than dense tensors of real numbers, or
            holds no tensors.
    """
    try:
        state: object = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # torch raises any error on files that it did not write
        raise InputError(
            f"{path} must be a .safetensors or .pth file that contains only tensors",
            got=damage_text(error),
            hint=hint,
        ) from error
    found = _unwrapped(state)
    if not isinstance(found, Mapping) or not found or not all(map(_is_named_tensor, found.items())):
        raise InputError(f"{path} must hold a state dict", got=type(state).__name__, hint=hint)
    odd = next((name for name, tensor in found.items() if not _is_plain(tensor)), None)
    if odd is not None:
        raise InputError(
            f"{path} must hold dense tensors of real numbers", got=f"another kind in {odd}", hint=hint
        )
    if all(name.startswith(_PARALLEL) for name in found):
        return {name.removeprefix(_PARALLEL): tensor for name, tensor in found.items()}
    return dict(found)


def _unwrapped(state: object) -> object:
    if isinstance(state, Mapping):
        return next((state[name] for name in _WRAPPERS if isinstance(state.get(name), Mapping)), state)
    return state


def _is_named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _is_plain(tensor: Tensor) -> bool:
    """Return False for sparse, quantized, complex and meta tensors, which no network here has."""
    is_dense = tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_meta
    return is_dense and not tensor.is_complex()
