"""Epoch checkpoints: training that was cut short goes on after its last epoch and ends in the same bits.

One file, replaced whole after every epoch: a sha256, then safetensors of the network and of Adam, among them
the bytes of a JSON text with the epochs so far, Adam's groups and the schedule. Nothing is pickled.
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
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.schedules import Schedule
from autohier.errors import StageDamagedError
from autohier.files import write_atomically

_LOG = logging.getLogger(__name__)

_TOLD, _NETWORK, _OPTIMIZER = "told", "network.", "optimizer."
_VERSION = 1
"""Raised when what is told of the training takes another form."""
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(slots=True)
class EpochCheckpoint:
    """Where one stage's unfinished training is kept."""

    path: Path
    num_restored: int = 0
    """Epochs that ``restore`` brought back."""

    def save(
        self, network: nn.Module, optimizer: Optimizer, schedule: Schedule, history: Sequence[EpochMetrics]
    ) -> None:
        """Replace what was kept; costs writing the network's weights three times over.

        Where the disk is full, that is told, what was kept before stays, and training goes on.
        """
        state = optimizer.state_dict()
        told = {
            "version": _VERSION,
            "epochs": [asdict(metrics) for metrics in history],
            "groups": state["param_groups"],
            "schedule": schedule.state(),
        }
        tensors = {_NETWORK + name: tensor for name, tensor in network.state_dict().items()}
        for index, moments in state["state"].items():
            tensors |= {f"{_OPTIMIZER}{index}.{name}": tensor for name, tensor in moments.items()}
        tensors[_TOLD] = torch.from_numpy(np.frombuffer(json.dumps(told).encode(), dtype=np.uint8).copy())
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        try:
            write_atomically(self.path, hashlib.sha256(content).digest() + content)
        except OSError as error:
            _LOG.warning("epoch %d could not be kept in %s: %s", len(history), self.path, error)

    def restore(self, network: nn.Module, optimizer: Optimizer, schedule: Schedule) -> list[EpochMetrics]:
        """Bring training back to where it was kept; the epochs that are done, none where nothing is kept.

        A damaged file, or one of another form, is told of and not used: training begins anew.
        """
        try:
            tensors = _read(self.path)
        except FileNotFoundError:
            return []
        except StageDamagedError as error:
            _LOG.warning("%s; its stage begins anew", error)
            return []
        told = json.loads(tensors.pop(_TOLD).numpy().tobytes())
        weights = {
            name.removeprefix(_NETWORK): tensor
            for name, tensor in tensors.items()
            if name.startswith(_NETWORK)
        }
        if told["version"] != _VERSION or _shapes(weights) != _shapes(network.state_dict()):
            _LOG.warning("the epoch checkpoint %s has another form; its stage begins anew", self.path.name)
            return []
        network.load_state_dict(weights)
        optimizer.load_state_dict({"state": _moments(tensors, optimizer), "param_groups": told["groups"]})
        schedule.load_state(told["schedule"])
        self.num_restored = len(told["epochs"])
        return [EpochMetrics.from_row(row) for row in told["epochs"]]

    def remove(self) -> None:
        """The stage is finished: nothing needs to be kept."""
        self.path.unlink(missing_ok=True)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _moments(tensors: dict[str, Tensor], optimizer: Optimizer) -> dict[int, dict[str, Tensor]]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_OPTIMIZER):
            index, moment = name.removeprefix(_OPTIMIZER).split(".")
            parameter = parameters[int(index)]
            # In the parameter's own memory order, so that the next step computes as it would have.
            ordered = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
            moments.setdefault(int(index), {})[moment] = ordered
    return moments


def _read(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    digest, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise StageDamagedError(f"the epoch checkpoint {path.name} must match its digest")
    try:
        tensors: dict[str, Any] = load(content)
    except SafetensorError as error:
        raise StageDamagedError(f"the epoch checkpoint {path.name} must be readable", got=error) from error
    return tensors
