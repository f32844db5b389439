"""Config of complete trials in tests, and access to the stages that they store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from support.sources.tiny_clips import (
    open_tiny_trial,
    tiny_config,
)

CONFIG = tiny_config()
# Number of convolutions per stack of a ResNet-18 of width 1/8, by channels: two blocks of two, and a
# projection if the stack changes the shape.
LAYERS = {8: 4, 16: 5, 32: 5, 64: 5}

# With a learning rate this small, a stage ends with the weights that it started from.
STANDSTILL = ("optimisation.learning_rate=1e-30",)


def run(config: TrialConfig, clips: ClipStore, folder: Path) -> TrialOutcome:
    return run_trial(open_tiny_trial(config, clips, folder))


def weights_of(folder: Path, result: StageResult) -> dict[str, Tensor]:
    return StageStore(folder).load_weights(result.kind, result.key)


def masks_of(folder: Path, result: StageResult) -> dict[str, Tensor]:
    tensors = weights_of(folder, result)
    return {name.removeprefix("alive."): mask for name, mask in tensors.items() if name.startswith("alive.")}


def rebuilt(result: StageResult, tensors: dict[str, Tensor]) -> HierarchicalRecognizer:
    """Return the network of a stored stage."""
    network = build_recognizer(
        "inflated-resnet18", num_classes=6, superclasses=result.hierarchy.num_superclasses[:-1], width=0.125
    )
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    return network.eval()


@torch.no_grad()
def probabilities_by_hand(
    network: nn.Module, clips: ClipStore, rows: NDArray[np.int64]
) -> list[list[NDArray[np.float64]]]:
    """Return the mean probabilities over the two frame sets, for every clip and every stack with a head."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    probabilities = []
    for row in rows:
        sets = []
        # Four stored frames in two segments: the sets are at a quarter and three quarters of each segment.
        for positions in ([0, 2], [1, 3]):
            frames_THWC = clips.frames(int(row), positions)[:, 1:15, 1:15] / 255
            clip_CTHW = ((frames_THWC - mean) / deviation).transpose(3, 0, 1, 2)
            scores = network(torch.tensor(clip_CTHW, dtype=torch.float32)[None])
            sets.append([np.exp(s[0].numpy()) / np.exp(s[0].numpy()).sum() for s in scores])
        probabilities.append([(one + other) / 2 for one, other in zip(*sets, strict=True)])
    return probabilities


def write_2d_weights(path: Path, *, width: float) -> Path:
    """Write the weights of a 2D ResNet-18 in which every kernel value is 1/2."""
    state = build_recognizer("inflated-resnet18", num_classes=6, width=width).recognizer.state_dict()
    flat = {name: tensor[:, :, 0].clone() if tensor.dim() == 5 else tensor for name, tensor in state.items()}
    save_file({name: torch.full_like(t, 0.5) if t.dim() == 4 else t for name, t in flat.items()}, path)
    return path
