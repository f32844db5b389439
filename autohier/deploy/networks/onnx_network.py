"""Trained network that onnxruntime runs, ready to classify the clips of any store; imports no torch.

Clips are prepared on arrays by the rules of training, see `autohier.data.inputs.reading`.

Legend: N clips, B clips of a batch, S superclasses of one head.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autohier.config.trial.clips import ClipSettings
from autohier.core.stages.clip_readings import Clips, Contents, open_reading
from autohier.data.inputs.shapes import ClipArrays, stack_arrays
from autohier.deploy.model_file import ExportedModel
from autohier.errors import InputError, damage_text

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_PROVIDERS = {"auto": (_CUDA, _CPU), "cpu": (_CPU,), "cuda": (_CUDA,)}
"""onnxruntime's names of the devices that a name of ours may mean."""


@dataclass(frozen=True, slots=True)
class OnnxNetwork:
    """An ONNX program in onnxruntime, and how it reads clips."""

    session: Any
    """onnxruntime.InferenceSession; onnxruntime has no types."""
    clips: ClipSettings
    """Clip input: sampled frames, crop, test sets and flips."""
    contents: Contents
    """Contents of the clips that it was trained on, which others must share."""
    num_threads: int
    """Threads that decode frames."""
    batch_size: int = 16

    def predict(self, store: Clips, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Return the probabilities of some clips, averaged over the test sets and flips of the settings.

        Args:
            store: clips with the contents that the network reads.
            rows: rows of the clips in the store; at least one.

        Returns:
            One ``probabilities_NS`` per head, the last in the original classes.
        """
        reading = open_reading(self.clips, store, self.contents)
        num_sets = self.clips.test_sets
        batches = np.split(rows, range(self.batch_size, len(rows), self.batch_size))
        flips = (False, True) if self.clips.test_flip else (False,)
        sums: list[NDArray[np.float32]] = []
        with ThreadPoolExecutor(self.num_threads) as threads:
            map_rows = threads.map if reading.frees_interpreter else map
            for index, mirrored in itertools.product(range(num_sets), flips):
                read = partial(reading.read_eval, set_index=index, num_sets=num_sets)
                stacked = (stack_arrays(list(map_rows(read, batch.tolist()))) for batch in batches)
                scores = [self._run(reading.eval_arrays(batch, mirrored=mirrored)) for batch in stacked]
                set_NS = [softmax(np.concatenate(heads)) for heads in zip(*scores, strict=True)]
                sums = [total + new for total, new in zip(sums, set_NS, strict=True)] if sums else set_NS
        return [total_NS / np.float32(num_sets * len(flips)) for total_NS in sums]

    def _run(self, clips: ClipArrays) -> list[NDArray[np.float32]]:
        names = [each.name for each in self.session.get_inputs()]
        given = clips if isinstance(clips, dict) else {names[0]: clips}
        scores: list[NDArray[np.float32]] = self.session.run(None, {name: given[name] for name in names})
        return scores


def softmax(scores_NS: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of every row."""
    shares_NS = np.exp(scores_NS - scores_NS.max(axis=1, keepdims=True))
    total: NDArray[np.float32] = shares_NS / shares_NS.sum(axis=1, keepdims=True)
    return total


def load_onnx_networks(
    folder: Path, model: ExportedModel, *, device: str, num_threads: int
) -> Iterator[OnnxNetwork]:
    """Load the ONNX programs of an exported model, one after the other.

    Args:
        folder: folder of the model.
        model: its description.
        device: "auto", "cpu" or "cuda"; "auto" takes a GPU if the installed onnxruntime can use it.
        num_threads: CPU threads.

    Raises:
        InputError: if onnxruntime is missing or cannot use the device, or a program is missing or damaged.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise InputError("--runtime onnx needs the package onnxruntime", hint="pip install onnxruntime")
    import onnxruntime  # noqa: PLC0415  an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    providers = _find_providers(device, onnxruntime.get_available_providers())
    for network in model.networks:
        path = folder / f"{Path(network.weights).stem}.onnx"
        if not path.is_file():
            raise InputError(
                "--runtime onnx must find an ONNX program of each network",
                got=f"no {path}",
                hint="export the model with --formats onnx, or predict with --runtime torch",
            )
        try:
            session = onnxruntime.InferenceSession(path, options, providers=providers)
        # onnxruntime's errors share no class but Exception.
        except Exception as error:
            raise InputError(
                f"{path} must be an ONNX program", got=damage_text(error), hint="export the model again"
            ) from error
        yield OnnxNetwork(session, network.clips, network.prepared, num_threads)


def _find_providers(device: str, available: list[str]) -> list[str]:
    """Return onnxruntime's names of the devices to use."""
    found = [name for name in _PROVIDERS.get(device, ()) if name in available]
    if not found:
        raise InputError(
            "--device must name a device that onnxruntime can use here: auto, cpu or cuda",
            got=f"{device}; onnxruntime finds {', '.join(available)}",
            hint="write --device cpu, or install onnxruntime-gpu",
        )
    return found
