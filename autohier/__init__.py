"""autohier: automatic search for hierarchical, pruned action recognizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autohier.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from autohier.deploy.networks.runtimes import RuntimeName
    from autohier.deploy.prediction import LoadedModel

__all__ = ["__version__", "load_model"]


def load_model(
    folder: str | Path, *, runtime: RuntimeName = "auto", device: str = "auto", num_threads: int = 1
) -> LoadedModel:
    """Load a model that ``autohier export`` wrote, ready to predict new clips.

    Args:
        folder: folder of the model.
        runtime: what computes: "torch", "onnx" (onnxruntime, without torch), or "auto".
        device: "auto", "cpu", "cuda", ...
        num_threads: CPU threads.

    Raises:
        InputError: if the folder holds no model, the device is unknown, or the runtime cannot compute it.
    """
    from autohier.deploy.prediction import load_model as load  # noqa: PLC0415  importing autohier is quick

    return load(folder, runtime=runtime, device=device, num_threads=num_threads)
