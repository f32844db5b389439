"""Compacted stages: the network of a finished stage without its dead channels, exported as one file.

The safetensors file holds the state dict and, as metadata, the JSON of a `CompactedNetwork`, from which
`read_compacted` builds the network again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from autohier.config.frozen import validate
from autohier.config.key_defaults import added_settings
from autohier.config.trial.recognizers import find_recognizer_settings
from autohier.core.pruning import Cost, compact, load_compacted, measure_cost
from autohier.core.stages.builders import clip_shape
from autohier.core.stages.inputs import BaseInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.network_description import CompactedNetwork
from autohier.core.stages.store.stage_files import read_description
from autohier.core.stages.store.stage_store import StageStore
from autohier.errors import InputError, StageDamagedError, damage_text
from autohier.files import check_regular, write_atomically
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer

_METADATA_KEY = "autohier"


@dataclass(frozen=True, slots=True)
class Saving:
    """Cost of a network before pruning and after compaction."""

    unpruned: Cost
    compacted: Cost


def write_compacted(store: StageStore, kind: StageKind, key: str, path: Path, *, multiple: int = 1) -> Saving:
    """Compact the network of a finished stage and write it to a file, atomically.

    Args:
        store: stage store that holds the stage.
        kind: kind of the stage.
        key: key of the stage.
        path: file to write.
        multiple: see `compact`.

    Raises:
        StageDamagedError: if the stage is damaged or missing.
        OSError: if the file cannot be written.
    """
    result = store.find(kind, key)
    if result is None:
        raise StageDamagedError(
            f"stage {key[:12]} must be in the store and undamaged", hint="run its trial again"
        )
    inputs = read_description(store.folder / kind.name / key)["inputs"]
    base = validate(BaseInputs, inputs["base"], origin=f"stage {key[:12]}")
    description = CompactedNetwork(
        recognizer=base.network.name,
        options=base.network.options,
        hierarchy=result.hierarchy.assignments,
        heads=result.heads,
        clip_shape=clip_shape(base.clips, base.network.options),
        stage=key,
        trained_on=base.training_clips,
    )
    network = build_network(description)
    unpruned = measure_cost(network, description.clip_shape)
    store.load_into(network, kind, key)
    compacted = compact(network, description.clip_shape, multiple=multiple)
    state = {name: tensor.contiguous() for name, tensor in compacted.state_dict().items()}
    write_atomically(path, save(state, {_METADATA_KEY: description.model_dump_json()}))
    return Saving(unpruned, measure_cost(network, description.clip_shape, multiple=multiple))


def build_network(description: CompactedNetwork) -> HierarchicalRecognizer:
    """Build a described network at its unpruned size, with random weights."""
    *superclasses, num_classes = (len(set(assignment)) for assignment in description.hierarchy)
    # A network that was stored before an option existed does without it.
    options = added_settings(find_recognizer_settings(description.recognizer)) | description.options
    return build_recognizer(
        description.recognizer,
        num_classes=num_classes,
        superclasses=superclasses,
        heads=description.heads,
        **options,
    )


def read_compacted(path: Path) -> tuple[HierarchicalRecognizer, CompactedNetwork]:
    """Read a file of `write_compacted`: the network, in evaluation mode on the CPU, and its description.

    Raises:
        InputError: if the file cannot be read or `write_compacted` did not write it.
    """
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            description = CompactedNetwork.model_validate_json((file.metadata() or {}).get(_METADATA_KEY, ""))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValidationError) as error:
        raise InputError(
            f"{path} must be a file that autohier compact wrote",
            got=damage_text(error),
            hint="write it again with autohier compact",
        ) from error
    network = build_network(description)
    load_compacted(network, tensors)
    return network.eval(), description
