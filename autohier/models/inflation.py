"""Centre inflation: a 2D ResNet's weights for a recognizer whose 3x3 kernels are 3x3x3.

A 2D kernel goes into the middle time slice and zeros go into the others (after Glimpse Clouds), so that the
inflated network sees every frame as the 2D network does, until training makes it look at its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from autohier.errors import InputError
from autohier.models.recognizer import Recognizer

_HEAD = "fc."
_STEM = "conv1.weight"
_MISMATCHES_TOLD = 3
_REMEDY = "give the weights of the 2D network of the same depth and width"


def load_2d_weights(recognizer: Recognizer, path: Path) -> None:
    """Start a recognizer from a 2D ResNet's file, with the names torchvision gives; its head is left out.

    Args:
        recognizer: its modules are named as the 2D network's.
        path: ``.safetensors``, or ``.pth``/``.pt`` that holds tensors and nothing else.

    Raises:
        InputError: where the file cannot be read or belongs to another architecture.
    """
    inflate_state_dict(recognizer, _read(path))


def inflate_state_dict(recognizer: Recognizer, state_2d: Mapping[str, Tensor]) -> None:
    """Start a recognizer from a 2D ResNet's tensors.

    A recognizer of one input channel gets the sum of the stem's kernels over colours: what the 2D network
    computes from a grey image that stands in all three of its channels.

    Raises:
        InputError: where tensors are missing, left over or of another shape; names the first of them.
    """
    own = recognizer.state_dict()
    given = {name: tensor for name, tensor in state_2d.items() if not name.startswith(_HEAD)}
    if _STEM in given and _STEM in own and own[_STEM].shape[1] == 1:
        given[_STEM] = given[_STEM].sum(dim=1, keepdim=True)
    inflated = {name: _inflated(tensor, own[name]) for name, tensor in given.items() if name in own}
    # Files from before batch norm counted its batches hold no such counts.
    inflated |= {
        name: tensor
        for name, tensor in own.items()
        if name.endswith("num_batches_tracked") and name not in given
    }
    mismatches = [f"{name} is missing" for name in own if name not in inflated]
    mismatches += [f"{name} has no place" for name in given if name not in own]
    mismatches += [
        f"{name} has shape {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
        for name, tensor in inflated.items()
        if tensor.shape != own[name].shape
    ]
    if mismatches:
        told = ", ".join(mismatches[:_MISMATCHES_TOLD])
        raise InputError(
            "2D weights must fit the recognizer", got=f"{len(mismatches)} mismatches: {told}", remedy=_REMEDY
        )
    recognizer.load_state_dict(inflated)


def _inflated(tensor: Tensor, own: Tensor) -> Tensor:
    if own.dim() != 5 or tensor.dim() != 4:
        return tensor
    num_slices = own.shape[2]
    kernel = tensor.new_zeros((*tensor.shape[:2], num_slices, *tensor.shape[2:]))
    kernel[:, :, num_slices // 2] = tensor
    return kernel


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            state: object = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's unpickler lets out any error on foreign bytes
        raise InputError(
            f"{path} must be a .safetensors or .pth file of tensors alone", got=repr(error), remedy=_REMEDY
        ) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path} must hold a state dict", got=type(state).__name__, remedy=_REMEDY)
    return state
