"""ONNX models of pose estimators, opened with onnxruntime.

Legend: B pictures, H W pixels.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autohier.errors import InputError, damage_text


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A model that reads one picture, float32 [1, 3, H, W]."""

    path: Path
    session: Any
    """onnxruntime.InferenceSession; onnxruntime has no types."""
    width_px: int
    height_px: int
    """Size of the picture that it reads."""

    def run(self, picture_HW3: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs for one picture, by name."""
        batch_B3HW = np.ascontiguousarray(picture_HW3.transpose(2, 0, 1)[None], dtype=np.float32)
        (read,) = self.session.get_inputs()
        names = [each.name for each in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, {read.name: batch_B3HW}), strict=True))

    def unexpected(self, what: str, found: dict[str, NDArray[np.float32]]) -> InputError:
        """Return the error of a model whose outputs are not those of its kind."""
        shapes = ", ".join(f"{name} {list(each.shape)}" for name, each in found.items())
        return InputError(
            f"{self.path} must be {what}", got=f"the outputs {shapes}", hint="name another file"
        )


def open_onnx_model(path: Path, *, num_threads: int) -> OnnxModel:
    """Open a model.

    Args:
        path: .onnx file.
        num_threads: CPU threads.

    Raises:
        InputError: if onnxruntime is missing, or the file is no ONNX model that reads one picture.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise InputError("ONNX models need the package onnxruntime", hint="pip install 'autohier[poses]'")
    import onnxruntime  # noqa: PLC0415  an extra

    if not path.is_file():
        raise InputError("a pose model must be a file", got=path, hint="correct the path")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())
    # onnxruntime's errors share no class but Exception.
    except Exception as error:
        raise InputError(
            f"{path} must be an ONNX model", got=damage_text(error), hint="name another file"
        ) from error
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or not all(isinstance(side, int) for side in shape[1:]) or shape[1] != 3:
        raise InputError(
            f"{path} must read one picture of three colors with a fixed size",
            got=", ".join(f"{each.name} {each.shape}" for each in inputs),
            hint="export the model for a fixed size",
        )
    return OnnxModel(path, session, width_px=shape[3], height_px=shape[2])
