"""Name tables: checkpoints of other packages, by the recognizer that they fit.

A recognizer whose names equal those of its origin, e.g. torchvision's video networks, needs none. To read the
files of another package, add a table to its recognizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from autohier.models.starting.adaptive_names import (
    is_aagcn_checkpoint,
    is_ctr_gcn_checkpoint,
    is_pyskl_aagcn_checkpoint,
    is_pyskl_ctr_gcn_checkpoint,
    rename_aagcn,
    rename_ctr_gcn,
    rename_pyskl_aagcn,
    rename_pyskl_ctr_gcn,
)
from autohier.models.starting.graph_names import is_graph_checkpoint, rename_graph
from autohier.models.starting.inception_names import is_i3d_checkpoint, rename_i3d
from autohier.models.starting.residual_names import (
    is_residual_checkpoint,
    is_slow_fast_checkpoint,
    rename_residual,
    rename_slow_fast,
)
from autohier.models.starting.scales_names import (
    is_ms_g3d_checkpoint,
    is_pyskl_ms_g3d_checkpoint,
    rename_ms_g3d,
)


@dataclass(frozen=True, slots=True)
class NameTable:
    """Names of one family of checkpoints."""

    origin: str
    """Packages that write them."""
    matches: Callable[[Mapping[str, Tensor]], bool]
    """True for the tensors of such a checkpoint."""
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    """Returns its tensors by the recognizer's names and in the recognizer's shapes."""


_OPENMMLAB: Final = "PYSKL or MMAction2"
_GRAPH: Final = NameTable(_OPENMMLAB, is_graph_checkpoint, rename_graph)
_RESIDUAL: Final = NameTable(_OPENMMLAB, is_residual_checkpoint, rename_residual)
_SLOW_FAST: Final = NameTable(_OPENMMLAB, is_slow_fast_checkpoint, rename_slow_fast)
_I3D: Final = NameTable("pytorch-i3d", is_i3d_checkpoint, rename_i3d)
_CTR_GCN: Final = NameTable("the authors' CTR-GCN", is_ctr_gcn_checkpoint, rename_ctr_gcn)
_PYSKL_CTR_GCN: Final = NameTable("PYSKL", is_pyskl_ctr_gcn_checkpoint, rename_pyskl_ctr_gcn)
_AUTHORS_AAGCN: Final = NameTable("the authors' AAGCN", is_aagcn_checkpoint, rename_aagcn)
_AAGCN: Final = NameTable(_OPENMMLAB, is_pyskl_aagcn_checkpoint, rename_pyskl_aagcn)
_AUTHORS_MS_G3D: Final = NameTable("the authors' MS-G3D", is_ms_g3d_checkpoint, rename_ms_g3d)
_MS_G3D: Final = NameTable(_OPENMMLAB, is_pyskl_ms_g3d_checkpoint, rename_ms_g3d)

NAME_TABLES: Final[Mapping[str, tuple[NameTable, ...]]] = {
    "st-gcn": (_GRAPH,),
    "st-gcn++": (_GRAPH,),
    "ctr-gcn": (_CTR_GCN, _PYSKL_CTR_GCN),
    "aagcn": (_AUTHORS_AAGCN, _AAGCN),
    "ms-g3d": (_AUTHORS_MS_G3D, _MS_G3D),
    "pose-slowonly": (_RESIDUAL,),
    "pose-slowonly-small": (_RESIDUAL,),
    "pose-slowonly-shallow": (_RESIDUAL,),
    "inflated-resnet18": (_RESIDUAL,),
    "inflated-resnet34": (_RESIDUAL,),
    "inflated-resnet50": (_RESIDUAL,),
    "inflated-resnet101": (_RESIDUAL,),
    "slowonly-resnet50": (_RESIDUAL,),
    "slowfast-resnet50": (_SLOW_FAST,),
    "i3d": (_I3D,),
    "part-attention-i3d": (_I3D,),  # of its parts
    "rgbpose-conv3d": (_RESIDUAL,),  # of its pathways
    "two-stream": (_RESIDUAL, _GRAPH),
}
"""Tables by the registered name of a recognizer."""

_OWN_PREFIX: Final = "recognizer."
_OWN_HEADS: Final = "heads."


def rename_tensors(recognizer: str, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Rename a file's tensors as a recognizer does; also return the packages that write such files, or "".

    Args:
        recognizer: registered name.
        state: tensors by the names in the file. A network of autohier stores ``recognizer.`` tensors, which
            lose this prefix, and ``heads.`` tensors, which are left out. The first matching table renames the
            tensors of other packages; without one they keep their names.
    """
    if any(name.startswith(_OWN_PREFIX) for name in state):
        own = {name: tensor for name, tensor in state.items() if not name.startswith(_OWN_HEADS)}
        return {name.removeprefix(_OWN_PREFIX): tensor for name, tensor in own.items()}, "autohier"
    for table in NAME_TABLES.get(recognizer, ()):
        if table.matches(state):
            return table.rename(state), table.origin
    return dict(state), ""
