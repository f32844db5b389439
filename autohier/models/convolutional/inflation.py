"""Inflation: a 2D ResNet's weights for a recognizer with 3x3x3 kernels.

``centre``: the 2D kernel becomes the middle time slice, and the other slices are zero (after Glimpse Clouds).
Before training, the inflated network therefore computes on every frame what the 2D network does. ``mean``:
each of the T slices is the 2D kernel divided by T (Carreira and Zisserman, CVPR 2017, section 2.2, and
MMAction2). Away from the first and the last frames, the inflated network then computes on a still video what
the 2D network does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor

from autohier.errors import InputError
from autohier.models.recognizer import Recognizer
from autohier.models.starting.residual_names import is_residual_checkpoint, rename_residual
from autohier.models.starting.state_files import read_state_dict

Inflation = Literal["centre", "mean"]
"""Time slices of an inflated kernel: the 2D kernel in the middle one, or its share in each."""

_HEADS = ("fc.", "cls_head.")
_STEM = "conv1.weight"
_MAX_MISMATCHES = 3
_HINT = "give the weights of the 2D network of the same depth and width"


def load_2d_weights(recognizer: Recognizer, path: Path, *, inflation: Inflation = "centre") -> None:
    """Initialise a recognizer from a file of a 2D ResNet; its head is ignored.

    Args:
        recognizer: network, the inflated parts of which are named like torchvision's 2D network.
        path: ``.safetensors`` file, or ``.pth``/``.pt`` file that contains only tensors, with the names of
            torchvision or of MMAction2.
        inflation: how 2D kernels become 3D ones.

    Raises:
        InputError: if the file cannot be read or has the weights of another architecture.
    """
    state = read_state_dict(path, hint=_HINT)
    if is_residual_checkpoint(state):
        state = rename_residual(state)
    for part in recognizer.inflated_parts():
        inflate_state_dict(part, state, inflation=inflation)


def inflate_state_dict(
    recognizer: Recognizer, state_2d: Mapping[str, Tensor], *, inflation: Inflation = "centre"
) -> None:
    """Initialise a recognizer from the tensors of a 2D ResNet.

    A recognizer with one input channel gets the stem's kernels summed over the colors: its output equals
    that of the 2D network on a gray image in all three channels.

    Raises:
        InputError: if tensors are missing, unexpected or of another shape; names the first ones.
    """
    if inflation not in get_args(Inflation):
        raise InputError("inflation must be centre or mean", got=repr(inflation))
    own = recognizer.state_dict()
    given = {name: tensor for name, tensor in state_2d.items() if not name.startswith(_HEADS)}
    if _STEM in given and _STEM in own and own[_STEM].shape[1] == 1:
        given[_STEM] = given[_STEM].sum(dim=1, keepdim=True)
    inflated = {
        name: _inflated(tensor, own[name], inflation) for name, tensor in given.items() if name in own
    }
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


def _inflated(tensor: Tensor, own: Tensor, inflation: Inflation) -> Tensor:
    if own.dim() != 5 or tensor.dim() != 4:
        return tensor
    num_slices = own.shape[2]
    if inflation == "mean":
        return tensor.unsqueeze(2).expand(-1, -1, num_slices, -1, -1) / num_slices
    kernel = tensor.new_zeros((*tensor.shape[:2], num_slices, *tensor.shape[2:]))
    kernel[:, :, num_slices // 2] = tensor
    return kernel
