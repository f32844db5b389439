"""Centre inflation: a 2D ResNet's weights for a recognizer with 3x3x3 kernels.

The 2D kernel becomes the middle time slice, and the other slices are zero (after Glimpse Clouds). Before
training, the inflated network therefore computes on every frame what the 2D network does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from autohier.errors import InputError, damage_text
from autohier.models.recognizer import Recognizer

_HEAD = "fc."
_STEM = "conv1.weight"
_MAX_MISMATCHES = 3
_HINT = "give the weights of the 2D network of the same depth and width"


def load_2d_weights(recognizer: Recognizer, path: Path) -> None:
    """Initialise a recognizer from a file of a 2D ResNet with torchvision's names; its head is ignored.

    Args:
        recognizer: network whose modules are named like those of the 2D network.
        path: ``.safetensors`` file, or ``.pth``/``.pt`` file that contains only tensors.

    Raises:
        InputError: if the file cannot be read or has the weights of another architecture.
    """
    inflate_state_dict(recognizer, _read(path))


def inflate_state_dict(recognizer: Recognizer, state_2d: Mapping[str, Tensor]) -> None:
    """Initialise a recognizer from the tensors of a 2D ResNet.

    A recognizer with one input channel gets the stem's kernels summed over the colors: its output equals
    that of the 2D network on a gray image in all three channels.

    Raises:
        InputError: if tensors are missing, unexpected or of another shape; names the first ones.
    """
    own = recognizer.state_dict()
    given = {name: tensor for name, tensor in state_2d.items() if not name.startswith(_HEAD)}
    if _STEM in given and _STEM in own and own[_STEM].shape[1] == 1:
        given[_STEM] = given[_STEM].sum(dim=1, keepdim=True)
    inflated = {name: _inflated(tensor, own[name]) for name, tensor in given.items() if name in own}
    # Files of old PyTorch versions lack num_batches_tracked.
    inflated |= {
        name: tensor
        for name, tensor in own.items()
        if name.endswith("num_batches_tracked") and name not in given
    }
    mismatches = [f"{name} is missing" for name in own if name not in inflated]
    mismatches += [f"{name} is unexpected" for name in given if name not in own]
    mismatches += [
        f"{name} has shape {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
        for name, tensor in inflated.items()
        if tensor.shape != own[name].shape
    ]
    if mismatches:
        first = ", ".join(mismatches[:_MAX_MISMATCHES])
        raise InputError(
            "2D weights must fit the recognizer", got=f"{len(mismatches)} mismatches: {first}", hint=_HINT
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
    except Exception as error:  # torch raises any error on files that it did not write
        raise InputError(
            f"{path} must be a .safetensors or .pth file that contains only tensors",
            got=damage_text(error),
            hint=_HINT,
        ) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path} must hold a state dict", got=type(state).__name__, hint=_HINT)
    return state
