"""Runtimes of an exported model: torch, or onnxruntime alone.

Legend: N clips, S superclasses of one head.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.core.stages.clip_readings import Clips
from autohier.deploy.model_file import ExportedModel

RuntimeName = Literal["auto", "torch", "onnx"]


class ClipNetwork(Protocol):
    """A trained network, ready to classify the clips of any store that it can read."""

    def predict(self, store: Clips, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Return the probabilities of some clips, averaged over test sets and flips.

        Args:
            store: clips with the contents that the network reads.
            rows: rows of the clips in the store; at least one.

        Returns:
            One ``probabilities_NS`` per head, the last in the original classes.
        """


def load_networks(
    folder: Path, model: ExportedModel, *, runtime: RuntimeName, device: str, num_threads: int
) -> Iterator[ClipNetwork]:
    """Load the networks of an exported model, one after the other.

    Args:
        folder: folder of the model.
        model: its description.
        runtime: what computes; "auto" takes torch if it is installed, else onnxruntime.
        device: "auto", "cpu", "cuda", ...
        num_threads: CPU threads.

    Raises:
        InputError: if the device is unknown, a package is missing, or the file of a network is missing or
            damaged.
    """
    if runtime == "auto":
        runtime = "torch" if importlib.util.find_spec("torch") else "onnx"
    # Either runtime may not be installed.
    if runtime == "torch":
        from autohier.deploy.networks.torch_network import load_torch_networks  # noqa: PLC0415

        return load_torch_networks(folder, model, device=device, num_threads=num_threads)
    from autohier.deploy.networks.onnx_network import load_onnx_networks  # noqa: PLC0415

    return load_onnx_networks(folder, model, device=device, num_threads=num_threads)
