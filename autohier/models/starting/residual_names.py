"""Names of residual networks in checkpoints of PYSKL and MMAction2, whose convolutions hold their norms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor

_CONVOLUTION: Final = re.compile(r"(?:backbone\.)?((?:layer\d+\.\d+\.)?)conv(\d+)\.(conv|bn)\.(.+)")
_SHORTCUT: Final = re.compile(r"(?:backbone\.)?(layer\d+\.\d+\.)downsample\.(conv|bn)\.(.+)")

_PATHWAY: Final = re.compile(r"(?:backbone\.)?(slow|fast)_path\.(.+)")
_LATERAL: Final = re.compile(r"(?:backbone\.)?slow_path\.(?:conv1|layer(\d))_lateral\.conv\.weight")


def is_residual_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of MMAction2's ResNet, SlowOnly or PoseC3D."""
    return any(re.fullmatch(r"(backbone\.)?conv1\.conv\.weight", name) for name in names)


def rename_residual(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by torchvision's names.

    For example, ``layer1.0.conv2.bn.bias`` becomes ``layer1.0.bn2.bias``. Names without a counterpart stay as
    they are.
    """
    return {_rename(name): tensor for name, tensor in state.items()}


def is_slow_fast_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of PYSKL's or MMAction2's SlowFast."""
    return any(re.fullmatch(r"(backbone\.)?slow_path\.conv1_lateral\.conv\.weight", name) for name in names)


def rename_slow_fast(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by the names of `SlowFast`: its pathways, and laterals in the order of the data."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if found := _LATERAL.fullmatch(name):
            renamed[f"laterals.{found[1] or 0}.weight"] = tensor
        elif found := _PATHWAY.fullmatch(name):
            renamed[f"{found[1]}.{_rename(found[2])}"] = tensor
        else:
            renamed[name] = tensor
    return renamed


def _rename(name: str) -> str:
    if found := _CONVOLUTION.fullmatch(name):
        block, number, part, tensor = found.groups()
        return f"{block}{part}{number}.{tensor}"
    if found := _SHORTCUT.fullmatch(name):
        return f"{found[1]}downsample.{0 if found[2] == 'conv' else 1}.{found[3]}"
    return name
