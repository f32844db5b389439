"""Names of I3D in checkpoints of pytorch-i3d, which are those of the published TensorFlow network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor

_UNIT: Final = re.compile(
    r"(?:Conv3d_([12][a-c])_\dx\d|Mixed_([345][b-f])\.(b[0-3][ab]?))\.(conv3d|bn)\.(.+)"
)
_BRANCHES: Final = {
    "b0": "branch0",
    "b1a": "branch1.0",
    "b1b": "branch1.1",
    "b2a": "branch2.0",
    "b2b": "branch2.1",
    "b3b": "branch3.1",
}
_HEAD: Final = "logits."


def is_i3d_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of pytorch-i3d's ``InceptionI3d``."""
    return "Conv3d_1a_7x7.conv3d.weight" in names


def rename_i3d(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by the names of `I3d`, without the head.

    For example, ``Mixed_3b.b1a.conv3d.weight`` becomes ``mixed3b.branch1.0.conv.weight``. Names without a
    counterpart stay as they are.
    """
    return {_rename(name): tensor for name, tensor in state.items() if not name.startswith(_HEAD)}


def _rename(name: str) -> str:
    found = _UNIT.fullmatch(name)
    if found is None:
        return name
    single, block, branch, part, tensor = found.groups()
    if single is None and branch not in _BRANCHES:
        return name
    module = f"conv{single}" if single else f"mixed{block}.{_BRANCHES[branch]}"
    return f"{module}.{'conv' if part == 'conv3d' else 'bn'}.{tensor}"
