"""Epoch checkpoints: interrupted training continues after its last epoch, with the same bits as without it.

A checkpoint is one file, replaced whole after every epoch: a sha256, then safetensors of the network and of
the optimizer, and the bytes of a JSON text with the name of the stage, the epochs so far, the optimizer's
groups and the schedule. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from autohier.core.failures import is_out_of_memory
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.replicas import SOLO, Replicas, share_bytes
from autohier.core.training.schedules import Schedule
from autohier.errors import StageDamagedError, damage_text
from autohier.files import delete, open_regular, write_atomically

_LOG = logging.getLogger(__name__)

_TRAINING, _NETWORK, _OPTIMIZER = "training", "network.", "optimizer."
_VERSION = 3
"""Bump when the checkpoint format changes."""
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(slots=True)
class EpochCheckpoint:
    """Checkpoint file of one unfinished stage, whose name is that of the file."""

    path: Path
    num_restored: int = 0
    """Number of epochs that `restore` has restored."""

    def save(
        self, network: nn.Module, optimizer: Optimizer, schedule: Schedule, history: Sequence[EpochMetrics]
    ) -> None:
        """Replace the checkpoint; writes three times the size of the network's weights.

        If the file cannot be written, a warning is logged, the earlier checkpoint stays, and training
        continues.
        """
        state = optimizer.state_dict()
        training = {
            "version": _VERSION,
            "stage": self.path.name,
            "epochs": [asdict(metrics) for metrics in history],
            "groups": state["param_groups"],
            "schedule": schedule.state(),
        }
        tensors = {_NETWORK + name: tensor for name, tensor in network.state_dict().items()}
        for index, moments in state["state"].items():
            tensors |= {f"{_OPTIMIZER}{index}.{name}": tensor for name, tensor in moments.items()}
        tensors[_TRAINING] = torch.from_numpy(
            np.frombuffer(json.dumps(training).encode(), dtype=np.uint8).copy()
        )
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        try:
            write_atomically(self.path, hashlib.sha256(content).digest() + content)
        except OSError as error:
            _LOG.warning("cannot write the checkpoint of epoch %d to %s: %s", len(history), self.path, error)

    def restore(
        self, network: nn.Module, optimizer: Optimizer, schedule: Schedule, replicas: Replicas = SOLO
    ) -> list[EpochMetrics]:
        """Restore network, optimizer and schedule, and return the finished epochs; none without a checkpoint.

        A file that is damaged, of another stage, in another format or not readable is logged and not used:
        training restarts. Of several ranks, rank 0 alone reads the file, and all restore its content.
        """
        before = optimizer.state_dict(), schedule.state()
        try:
            tensors = _tensors(_shared_content(self.path, replicas))
            training = json.loads(tensors.pop(_TRAINING).numpy().tobytes())
            self._check(training, tensors, network)
            epochs = [EpochMetrics.from_row(row) for row in training["epochs"]]
            optimizer.load_state_dict(
                {"state": _moments(tensors, optimizer), "param_groups": training["groups"]}
            )
            schedule.load_state(training["schedule"])
            network.load_state_dict(_weights(tensors))
        except FileNotFoundError:
            return []
        except Exception as error:  # readers raise almost anything on a damaged file
            if is_out_of_memory(error):
                raise
            optimizer.load_state_dict(before[0])
            schedule.load_state(before[1])
            cause = str(error) if isinstance(error, StageDamagedError) else damage_text(error)
            _LOG.warning("cannot use the epoch checkpoint %s: %s; its stage restarts", self.path.name, cause)
            return []
        self.num_restored = len(epochs)
        return epochs

    def remove(self) -> None:
        """Delete the checkpoint of a finished stage; one that cannot be deleted is never read again."""
        try:
            delete(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            _LOG.warning("cannot delete the epoch checkpoint %s of a finished stage: %s", self.path, error)

    def _check(self, training: Mapping[str, Any], tensors: Mapping[str, Tensor], network: nn.Module) -> None:
        if training["version"] != _VERSION:
            raise StageDamagedError(
                f"an epoch checkpoint must have format version {_VERSION}", got=training["version"]
            )
        if training["stage"] != self.path.name:
            raise StageDamagedError(
                "an epoch checkpoint must name the stage of its file", got=training["stage"]
            )
        if _shapes(_weights(tensors)) != _shapes(network.state_dict()):
            raise StageDamagedError("an epoch checkpoint must hold the tensors of its network")


def _weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(_NETWORK): tensor for name, tensor in tensors.items() if name.startswith(_NETWORK)
    }


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _moments(tensors: dict[str, Tensor], optimizer: Optimizer) -> dict[int, dict[str, Tensor]]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_OPTIMIZER):
            index, moment = name.removeprefix(_OPTIMIZER).split(".")
            parameter = parameters[int(index)]
            # In the parameter's own memory order, so that the next step computes the same bits.
            ordered = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
            moments.setdefault(int(index), {})[moment] = ordered
    return moments


def _shared_content(path: Path, replicas: Replicas) -> bytes:
    """Return the content that rank 0 reads; raises its error, on the other ranks that of an absent file."""
    if replicas.rank:
        content = share_bytes(b"", replicas)
        if not content:
            raise FileNotFoundError(path)
        return content
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError:
        share_bytes(b"", replicas)
        raise
    return share_bytes(content, replicas)


def _tensors(raw: bytes) -> dict[str, Tensor]:
    digest, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise StageDamagedError("an epoch checkpoint must match its digest")
    tensors: dict[str, Tensor] = load(content)
    return tensors
