"""Trained network that torch runs, ready to classify the clips of any store.

Legend: N clips, S superclasses of one head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autohier.config.trial.clips import ClipSettings
from autohier.core.stages.builders import open_clip_input
from autohier.core.stages.clip_readings import Clips, Contents
from autohier.core.stages.compacted import read_compacted
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import open_device
from autohier.core.training.evaluation import predict
from autohier.data.splits import Split
from autohier.deploy.model_file import ExportedModel


@dataclass(frozen=True, slots=True)
class TorchNetwork:
    """A network on a device, and how it reads clips."""

    network: nn.Module
    """Maps a batch of clips to the scores of every head; on the device."""
    clips: ClipSettings
    """Clip input: sampled frames, crop, test sets and flips."""
    contents: Contents
    """Contents of the clips that it was trained on, which others must share."""
    device: torch.device
    num_threads: int
    """Threads that decode frames."""
    batch_size: int = 16
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    """Returns the context manager of the precision to compute in."""

    def predict(self, store: Clips, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Return the probabilities of some clips, averaged over the test sets and flips of the settings.

        Args:
            store: clips with the contents that the network reads.
            rows: rows of the clips in the store; at least one.

        Returns:
            One ``probabilities_NS`` per head, the last in the original classes.
        """
        nothing = np.empty(0, dtype=np.int64)
        data_loader = DataLoader(
            open_clip_input(self.clips, store, self.contents),
            Split(nothing, nothing, rows),
            test_sets=self.clips.test_sets,
            batch_size=self.batch_size,
            device=self.device,
            num_threads=self.num_threads,
            test_flip=self.clips.test_flip,
        )
        stacks, _ = predict(
            self.network,
            data_loader,
            "test",
            num_sets=self.clips.test_sets,
            flip=self.clips.test_flip,
            autocast=self.autocast,
        )
        return [stack_NS.cpu().numpy() for stack_NS in stacks]


def load_torch_networks(
    folder: Path, model: ExportedModel, *, device: str, num_threads: int
) -> Iterator[TorchNetwork]:
    """Load the networks of an exported model onto a device, one after the other.

    Args:
        folder: folder of the model.
        model: its description.
        device: "auto", "cpu", "cuda", ...
        num_threads: CPU threads.

    Raises:
        InputError: if the device is unknown, or the file of a network is damaged.
    """
    opened = open_device(
        device, precision="float32", deterministic=False, compile_network=False, num_threads=num_threads
    )
    for network in model.networks:
        loaded, _ = read_compacted(folder / network.weights)
        yield TorchNetwork(
            opened.prepare(loaded), network.clips, network.prepared, opened.torch_device, num_threads
        )
