"""Compacted stages: a finished stage's network without its dead channels, as one file to take elsewhere.

The file is safetensors: the state dict, and as metadata the JSON of a `CompactedNetwork`, from which the
network is built again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from autohier.core.pruning import Cost, compact, load_compacted, measure_cost
from autohier.core.stages.forms import clip_shape
from autohier.core.stages.inputs import Basis
from autohier.core.stages.result import StageKind
from autohier.core.stages.store import StageStore, read_description
from autohier.errors import InputError, StageDamagedError
from autohier.files import write_atomically
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.settings.frozen import FrozenModel, validate

_TOLD = "autohier"


class CompactedNetwork(FrozenModel):
    """What a file tells of the network in it."""

    recognizer: str
    options: dict[str, Any]
    """See autohier.models.build_recognizer."""
    hierarchy: tuple[tuple[int, ...], ...]
    """Superclass of every class, for each head; the last are the classes themselves."""
    clip_shape: tuple[int, ...]
    """What the network reads of one clip."""
    stage: str
    """Key of the stage that trained it."""

    def build(self) -> HierarchicalRecognizer:
        """The network as it was before it was pruned, with other weights."""
        *superclasses, num_classes = (len(set(assignment)) for assignment in self.hierarchy)
        return build_recognizer(
            self.recognizer, num_classes=num_classes, superclasses=superclasses, **self.options
        )


@dataclass(frozen=True, slots=True)
class Saving:
    """What became of a network's cost."""

    unpruned: Cost
    compacted: Cost


def write_compacted(store: StageStore, kind: StageKind, key: str, path: Path, *, multiple: int = 1) -> Saving:
    """Compact the network of a finished stage and write it, whole or not at all.

    Args:
        store: where the stage is.
        kind: of the stage.
        key: of the stage.
        path: the file.
        multiple: see `compact`.

    Raises:
        StageDamagedError: where the stage is damaged or gone.
        OSError: where the file cannot be written.
    """
    result = store.find(kind, key)
    if result is None:
        raise StageDamagedError(f"the stage {key[:12]} must be whole", remedy="run its trial again")
    inputs = read_description(store.folder / kind / key)["inputs"]
    basis = validate(Basis, inputs["basis"], origin=f"stage {key[:12]}")
    told = CompactedNetwork(
        recognizer=basis.network.name,
        options=basis.network.options,
        hierarchy=result.hierarchy.assignments,
        clip_shape=clip_shape(basis.clips, basis.network.options),
        stage=key,
    )
    network = told.build()
    unpruned = measure_cost(network, told.clip_shape)
    store.load_into(network, kind, key)
    compacted = compact(network, told.clip_shape, multiple=multiple)
    state = {name: tensor.contiguous() for name, tensor in compacted.state_dict().items()}
    write_atomically(path, save(state, {_TOLD: told.model_dump_json()}))
    return Saving(unpruned, measure_cost(network, told.clip_shape, multiple=multiple))


def read_compacted(path: Path) -> tuple[HierarchicalRecognizer, CompactedNetwork]:
    """The network that `write_compacted` wrote, for evaluation, on the CPU; and what is told of it.

    Raises:
        InputError: where the file cannot be read or is not such a one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = CompactedNetwork.model_validate_json((file.metadata() or {}).get(_TOLD, ""))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValidationError) as error:
        raise InputError(
            f"{path} must be a file of autohier compact", got=type(error).__name__, remedy="write it again"
        ) from error
    network = told.build()
    load_compacted(network, tensors)
    return network.eval(), told
