"""The stage store: finished stages by key, each there whole or not at all.

Layout: ``<store>/<kind>/<key>/`` holds ``stage.json`` (inputs, measurements, sizes and digests of the other
files; its time of change is when the stage was last used), ``model.safetensors``, ``epochs.parquet`` and
``confusion.npy``. A stage whose files are not what was published is moved to ``<store>/quarantine/`` and
computed again. ``<store>/partial/`` holds the epoch checkpoints of stages that are not finished.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import Cost
from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.metrics import EpochMetrics
from autohier.digest import digest, digest_file
from autohier.errors import InputError, StageDamagedError
from autohier.files import publish_folder

_LOG = logging.getLogger(__name__)

STAGE_FILE, PARTIAL, QUARANTINE = "stage.json", "partial", "quarantine"
_NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
"""Other errors of the system, as too many open files, say nothing of a stage's files."""
_MODEL, _EPOCHS, _CONFUSION = "model.safetensors", "epochs.parquet", "confusion.npy"


@dataclass(frozen=True, slots=True)
class StageStore:
    """Finished stages below one folder; safe for any number of readers and writers."""

    folder: Path

    def find(self, kind: StageKind, key: str) -> StageResult | None:
        """A finished stage, or None where it is not there (or was damaged and is now set aside).

        Costs reading all of its files once, for their checksums. A stage that is found counts as used now.
        """
        path = self._path(kind, key)
        if not self.holds(kind, key):
            return None
        try:
            found = _read_result(path, _verify(path))
        except FileNotFoundError:
            return None  # Evicted while it was read.
        except OSError as error:
            _LOG.warning("the stage %s cannot be read now, and is computed: %s", path.name[:12], error)
            return None
        except (KeyError, TypeError) as error:
            damage = StageDamagedError(f"the stage {path.name[:12]} must have today's form", got=error)
            self._quarantine(path, damage)
            return None
        except StageDamagedError as error:
            self._quarantine(path, error)
            return None
        # Whoever cannot note it, in a store that is read-only for them, may use the stage all the same.
        with suppress(OSError):
            os.utime(path / STAGE_FILE)
        return found

    def publish(self, result: StageResult, inputs: StageInputs, weights: Mapping[str, Tensor]) -> None:
        """Store a finished stage; where somebody published the same key first, theirs stays.

        Raises:
            OSError: where the disk is full or the folder cannot be written; nothing is published then.
        """
        with publish_folder(self._path(result.kind, result.key)) as folder:
            _save_weights(weights, folder / _MODEL)
            pq.write_table(pa.Table.from_pylist([asdict(epoch) for epoch in result.epochs]), folder / _EPOCHS)
            np.save(folder / _CONFUSION, result.confusion_KK)
            contents = {name: _content(folder / name) for name in (_MODEL, _EPOCHS, _CONFUSION)}
            told = _describe(result) | {"inputs": inputs.model_dump(mode="json"), "files": contents}
            (folder / STAGE_FILE).write_text(json.dumps({"told": told, "sha256": digest(told)}, indent=1))

    def holds(self, kind: StageKind, key: str) -> bool:
        """Whether a finished stage is there, damaged or not."""
        return self._path(kind, key).is_dir()

    def load_weights(self, kind: StageKind, key: str) -> dict[str, Tensor]:
        """The tensors of a finished stage, on the CPU.

        Raises:
            StageDamagedError: where the stage is not there or cannot be read.
        """
        try:
            weights: dict[str, Tensor] = load_file(self._path(kind, key) / _MODEL)
        except (OSError, SafetensorError) as error:
            raise StageDamagedError(
                "a stage's weights must be readable", got=error, remedy="run the trial again"
            ) from error
        return weights

    def load_into(self, network: nn.Module, kind: StageKind, key: str, *, but: str = "") -> dict[str, Tensor]:
        """Give a network the weights of a finished stage; those of another network are set aside.

        Args:
            network: takes them.
            kind: of the stage.
            key: of the stage.
            but: how tensors of the network begin that the stage need not hold; they stay as they are.

        Returns:
            All that the stage holds.

        Raises:
            StageDamagedError: where the stage is not there, cannot be read or does not hold the network's.
        """
        tensors, own = self.load_weights(kind, key), network.state_dict()
        kept = {name for name in own if but and name.startswith(but)} - tensors.keys()
        others = [name for name in own.keys() - kept if not _is_like(tensors.get(name), own[name])]
        if others:
            error = StageDamagedError(
                f"the stage {key[:12]} must hold what its network has", got=f"no fitting {min(others)}"
            )
            self._quarantine(self._path(kind, key), error)
            raise error
        network.load_state_dict({name: tensors.get(name, tensor) for name, tensor in own.items()})
        return tensors

    def partial(self, kind: StageKind, key: str) -> EpochCheckpoint:
        """Where an unfinished stage keeps its epochs."""
        return EpochCheckpoint(self.folder / PARTIAL / f"{kind}-{key}")

    def _path(self, kind: StageKind, key: str) -> Path:
        return self.folder / kind / key

    def _quarantine(self, path: Path, error: StageDamagedError) -> None:
        aside = self.folder / QUARANTINE / f"{path.parent.name}-{path.name}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(aside)
        except FileNotFoundError:
            return  # Another process was faster, and has told of it.
        _LOG.warning("%s; it is kept in %s and will be computed again", error, aside)


def _save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    except SafetensorError as error:
        raise OSError(f"{path.name} could not be written: {error}") from error


def _is_like(tensor: Tensor | None, other: Tensor) -> bool:
    return tensor is not None and tensor.shape == other.shape


def _content(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": digest_file(path)}


def read_description(path: Path) -> dict[str, Any]:
    """What the ``stage.json`` of a finished stage tells of it.

    Raises:
        StageDamagedError: where it is not what was published.
        OSError: where it is there and cannot be read.
    """
    try:
        stage = json.loads((path / STAGE_FILE).read_text())
        description: dict[str, Any] = stage["told"]
        whole = stage["sha256"] == digest(description)
    except (*_NOT_THERE, ValueError, KeyError, TypeError, InputError) as error:
        raise StageDamagedError(f"the stage {path.name[:12]} must be complete", got=error) from error
    if not whole:
        raise StageDamagedError(f"the {STAGE_FILE} of stage {path.name[:12]} must match its digest")
    return description


def _verify(path: Path) -> dict[str, Any]:
    description = read_description(path)
    try:
        contents = dict(description["files"])
        damaged = [name for name in contents if _content(path / name) != contents[name]]
    except (*_NOT_THERE, ValueError, KeyError, TypeError) as error:
        raise StageDamagedError(f"the stage {path.name[:12]} must be complete", got=error) from error
    if damaged:
        raise StageDamagedError(f"the files of stage {path.name[:12]} must match their digests", got=damaged)
    return description


def _describe(result: StageResult) -> dict[str, Any]:
    return {
        "kind": result.kind,
        "key": result.key,
        "parent_key": result.parent_key,
        "pass_index": result.pass_index,
        "hierarchy": result.hierarchy.as_lists(),
        "stack_accuracies": result.stack_accuracies,
        "cost": asdict(result.cost),
        "seconds": result.seconds,
    }


def _read_result(path: Path, told: Mapping[str, Any]) -> StageResult:
    rows = pq.read_table(path / _EPOCHS).to_pylist()
    return StageResult(
        kind=told["kind"],
        key=told["key"],
        parent_key=told["parent_key"],
        pass_index=told["pass_index"],
        hierarchy=Hierarchy.from_lists(told["hierarchy"]),
        epochs=tuple(EpochMetrics.from_row(row) for row in rows),
        stack_accuracies=tuple(told["stack_accuracies"]),
        confusion_KK=np.load(path / _CONFUSION, allow_pickle=False),
        cost=Cost(**told["cost"]),
        seconds=told["seconds"],
        reused=True,
    )
