"""Names of ST-GCN and ST-GCN++ in checkpoints of PYSKL and MMAction2.

PYSKL computes the filters of all partitions in one convolution of P x F filters, partition by partition; here
one filter spans the partitions. In PYSKL, each branch of the multi-scale unit starts with a 1x1 convolution
and a norm of its own; here one convolution and one norm serve all branches.

Legend: C channels read, F filters, P partitions, V W joints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

_BLOCK: Final = re.compile(r"(?:backbone\.)?gcn\.(\d+)\.(.+)")
_DATA_NORM: Final = re.compile(r"(?:backbone\.)?(data_bn\..+)")
_ENTRY: Final = re.compile(r"tcn\.branches\.(\d+)\.([01])\.(.+)")
"""First convolution (0) and norm (1) of a branch."""
_UNITS: Final = (
    (re.compile(r"gcn\.A"), r"spatial.partitions"),
    (re.compile(r"gcn\.PA"), r"spatial.importance"),
    (re.compile(r"gcn\.(conv|bn)\.(.+)"), r"spatial.\1.\2"),
    (re.compile(r"gcn\.down\.0\.(.+)"), r"spatial.shortcut.conv.\1"),
    (re.compile(r"gcn\.down\.1\.(.+)"), r"spatial.shortcut.bn.\1"),
    (re.compile(r"residual\.(conv|bn)\.(.+)"), r"shortcut.\1.\2"),
    (re.compile(r"tcn\.(conv|bn)\.(.+)"), r"temporal.\1.\2"),
    (re.compile(r"tcn\.branches\.([0-3])\.3\.conv\.(.+)"), r"temporal.dilated.\1.\2"),
    (re.compile(r"tcn\.branches\.5\.(weight|bias)"), r"temporal.pointwise.\1"),
    (re.compile(r"tcn\.transform\.0\.(.+)"), r"temporal.branches_bn.\1"),
    (re.compile(r"tcn\.transform\.2\.(.+)"), r"temporal.transform.\1"),
)
_COUNTER: Final = "num_batches_tracked"


def is_graph_checkpoint(names: Mapping[str, object]) -> bool:
    """Return True if a file has the names of PYSKL's or MMAction2's ST-GCN."""
    return any(re.fullmatch(r"(backbone\.)?gcn\.0\.gcn\.A", name) for name in names)


def rename_graph(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of PYSKL's ST-GCN or ST-GCN++ by the names and in the shapes of `StGcn`.

    Names without a counterpart stay as they are.
    """
    renamed: dict[str, Tensor] = {}
    entries: dict[str, dict[int, Tensor]] = {}
    for name, tensor in state.items():
        block = _BLOCK.fullmatch(name)
        if block is None:
            data_norm = _DATA_NORM.fullmatch(name)
            renamed[data_norm[1] if data_norm else name] = tensor
            continue
        path, inner = f"blocks.{block[1]}", block[2]
        if entry := _ENTRY.fullmatch(inner):
            part = "entry" if entry[2] == "0" else "entry_bn"
            entries.setdefault(f"{path}.temporal.{part}.{entry[3]}", {})[int(entry[1])] = tensor
            continue
        unit = next((new for old, to in _UNITS if (new := _replaced(old, to, inner))), None)
        renamed[f"{path}.{unit}" if unit else name] = tensor
    for name, parts in entries.items():
        in_order = [parts[branch] for branch in sorted(parts)]
        if name.endswith(_COUNTER):
            renamed[name] = in_order[0]
        elif in_order[0].ndim and len({(each.ndim, each.shape[1:]) for each in in_order}) == 1:
            renamed[name] = torch.cat(in_order)
        else:  # they do not fit each other, so the first is of another shape and is refused
            renamed[name] = in_order[0]
    return {name: _in_partitions(name, tensor, renamed) for name, tensor in renamed.items()}


def _replaced(pattern: re.Pattern[str], replacement: str, text: str) -> str | None:
    found = pattern.fullmatch(text)
    return found.expand(replacement) if found else None


def _in_partitions(name: str, tensor: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """Return the filters of a graph convolution with one row each; other tensors stay as they are."""
    reshape = next((each for end, each in _SPATIAL.items() if name.endswith(end)), None)
    if reshape is None:
        return tensor
    path = name.rpartition(".conv.")[0]
    partitions_PVW = state.get(f"{path}.partitions")
    num_partitions = 0 if partitions_PVW is None or not partitions_PVW.ndim else len(partitions_PVW)
    if not num_partitions or not tensor.ndim or len(tensor) % num_partitions:
        return tensor
    return reshape(tensor, num_partitions)


def _split_weight(weight: Tensor, num_partitions: int) -> Tensor:
    """Map [P F, C, 1, 1] to [F, C, P, 1]."""
    weight_PFC = weight.view(num_partitions, len(weight) // num_partitions, -1)
    return weight_PFC.permute(1, 2, 0).unsqueeze(-1).contiguous()


def _split_bias(bias: Tensor, num_partitions: int) -> Tensor:
    """Map [P F] to [F, P]."""
    return bias.view(num_partitions, -1).t().contiguous()


_SPATIAL: Final[dict[str, Callable[[Tensor, int], Tensor]]] = {
    ".spatial.conv.weight": _split_weight,
    ".spatial.conv.bias": _split_bias,
}
