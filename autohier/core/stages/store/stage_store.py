"""Stage store: finished stages by key, each stored whole or not at all.

Layout: ``<store>/<kind>/<key>/`` holds ``stage.json`` (inputs, measurements, library versions, sizes and
digests of the other files; its modification time is the last use of the stage), ``model.safetensors``,
``epochs.parquet`` and ``confusion.npy``. A stage that differs from the published one, or that is not the one
of its kind and key, is moved to ``<store>/quarantine/`` and trained again. ``<store>/partial/`` holds the
epoch checkpoints of unfinished stages. With a ``remote.json`` in the folder, finished stages are also copied
to object storage, and read from there if they are missing here; see `remote_stages`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.file_names import STAGE_FILE
from autohier.core.stages.store.identity_check import is_stage_key
from autohier.core.stages.store.remote_stages import RemoteStages, find_remote
from autohier.core.stages.store.setting_aside import set_aside
from autohier.core.stages.store.stage_files import read_stage, read_weights, write_stage
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.errors import StageDamagedError
from autohier.files import publish_folder

_LOG = logging.getLogger(__name__)

PARTIAL, QUARANTINE = "partial", "quarantine"


@dataclass(frozen=True, slots=True)
class StageStore:
    """Finished stages in one folder; safe for any number of concurrent readers and writers."""

    folder: Path

    def find(self, kind: StageKind, key: str) -> StageResult | None:
        """Return a finished stage, or None if it is missing, or damaged and moved to quarantine.

        Reads all files of the stage, and checks that they are whole and those of this kind and key. Marks the
        stage as used now.
        """
        if not self._is_here(kind, key) and not self._download(kind, key):
            return None
        path = self._path(kind, key)
        try:
            cached = read_stage(path, kind, key)
        except OSError as error:
            _LOG.warning("cannot read the stage %s now; it is trained again: %s", key[:12], error)
            return None
        except StageDamagedError as error:
            self._quarantine(path, error)
            return None
        # A process that may only read the store cannot mark the stage as used, but may use it.
        with suppress(OSError):
            os.utime(path / STAGE_FILE)
        return cached

    def publish(self, result: StageResult, inputs: StageInputs, weights: Mapping[str, Tensor]) -> None:
        """Store a finished stage. If another process has published the same key, its stage stays.

        Raises:
            DivergedError: if a weight is not finite; nothing is published then.
            OSError: if the disk is full or the folder cannot be written; nothing is published then.
        """
        with publish_folder(self._path(result.kind, result.key)) as folder:
            write_stage(folder, result, inputs, weights)
        if (remote := find_remote(self.folder)) is not None:
            self._upload(remote, result.kind.name, result.key)

    def upload_missing(self) -> tuple[int, int]:
        """Copy the finished stages that object storage lacks, e.g. after it was out of reach.

        Returns:
            The numbers of stages that were copied, and that could not be copied; the log says why.

        Raises:
            OSError: if the storage cannot be reached.
        """
        if (remote := find_remote(self.folder)) is None:
            return 0, 0
        remote.check()
        here = [
            path.parent for path in self.folder.glob(f"*/*/{STAGE_FILE}") if is_stage_key(path.parent.name)
        ]
        there = {kind: remote.keys(kind) for kind in {path.parent.name for path in here}}
        missing = [path for path in here if path.name not in there[path.parent.name]]
        num_copied = sum(self._upload(remote, path.parent.name, path.name) for path in missing)
        return num_copied, len(missing) - num_copied

    def holds(self, kind: StageKind, key: str) -> bool:
        """Return True if a finished stage is in the store or in object storage, damaged or not."""
        if self._is_here(kind, key):
            return True
        if not is_stage_key(key) or (remote := find_remote(self.folder)) is None:
            return False
        try:
            return remote.holds(kind.name, key)
        except OSError as error:
            _LOG.warning("cannot read %s now: %s", remote.url, error)
            return False

    def load_weights(self, kind: StageKind, key: str) -> dict[str, Tensor]:
        """Return the tensors of a finished stage, on the CPU.

        Raises:
            StageDamagedError: if the stage is missing or cannot be read.
        """
        path = self._path(kind, key)
        if not self._is_here(kind, key):
            self._download(kind, key)
        return read_weights(path)

    def load_into(
        self, network: nn.Module, kind: StageKind, key: str, *, but: str = "", part: str = ""
    ) -> dict[str, Tensor]:
        """Load the weights of a finished stage into a network. A stage of another network is quarantined.

        Args:
            network: changed in place.
            kind: kind of the stage.
            key: key of the stage.
            but: prefix of tensors that the stage need not hold; these stay as they are.
            part: prefix of the stage's tensors that the network has, under their names without it.

        Returns:
            All tensors of the stage that have the prefix, without it.

        Raises:
            StageDamagedError: if the stage is missing, cannot be read or is of another network.
        """
        stored, own = self.load_weights(kind, key), network.state_dict()
        tensors = {name.removeprefix(part): stored[name] for name in stored if name.startswith(part)}
        kept = {name for name in own if but and name.startswith(but)} - tensors.keys()
        others = [name for name in own.keys() - kept if not _is_like(tensors.get(name), own[name])]
        if others:
            error = StageDamagedError(
                f"the stage {key[:12]} must hold all tensors of its network", got=f"no matching {min(others)}"
            )
            self._quarantine(self._path(kind, key), error)
            raise error
        network.load_state_dict({name: tensors.get(name, tensor) for name, tensor in own.items()})
        return tensors

    def partial(self, kind: StageKind, key: str) -> EpochCheckpoint:
        """Return the epoch checkpoint of an unfinished stage."""
        return EpochCheckpoint(self.folder / PARTIAL / f"{kind.name}-{key}")

    def _is_here(self, kind: StageKind, key: str) -> bool:
        return is_stage_key(key) and os.path.lexists(self._path(kind, key))

    def _download(self, kind: StageKind, key: str) -> bool:
        """Bring a stage from object storage into the store; return False if it is not there now."""
        if not is_stage_key(key) or (remote := find_remote(self.folder)) is None:
            return False
        try:
            if not remote.holds(kind.name, key):
                return False
            with publish_folder(self._path(kind, key)) as folder:
                remote.download(kind.name, key, folder)
        except (OSError, StageDamagedError) as error:
            _LOG.warning(
                "cannot read the stage %s in %s; it is trained again: %s", key[:12], remote.url, error
            )
            return False
        return True

    def _upload(self, remote: RemoteStages, kind: str, key: str) -> bool:
        try:
            remote.upload(kind, key, self.folder / kind / key)
        except (OSError, StageDamagedError) as error:
            _LOG.warning(
                "cannot copy the stage %s to %s; the next search or resume tries again: %s",
                key[:12],
                remote.url,
                error,
            )
            return False
        return True

    def _path(self, kind: StageKind, key: str) -> Path:
        # Keys also come from records and fusions, which may be forged: they must not leave the store.
        if not is_stage_key(key):
            raise StageDamagedError("a stage key must be 64 hexadecimal digits", got=key)
        return self.folder / kind.name / key

    def _quarantine(self, path: Path, error: StageDamagedError) -> None:
        try:
            aside = set_aside(path, self.folder / QUARANTINE, f"{path.parent.name}-{path.name}")
        except FileNotFoundError:
            return  # Another process was faster, and has logged it.
        _LOG.warning("%s; it is kept in %s and will be trained again", error, aside)


def _is_like(tensor: Tensor | None, other: Tensor) -> bool:
    return tensor is not None and tensor.shape == other.shape
