"""Files of BlazePose's two networks, and their runtime.

MediaPipe publishes them inside its packages: a wheel, which is a zip file, holds
``modules/pose_detection/pose_detection.tflite`` and ``modules/pose_landmark/pose_landmark_full.tflite``; the
npm package @mediapipe/pose also a lite and a heavy one.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.errors import InputError, damage_text

_DETECTOR: Final = "pose_detection.tflite"
_LANDMARKS: Final = ("pose_landmark_full.tflite", "pose_landmark_heavy.tflite", "pose_landmark_lite.tflite")
"""In the order of preference."""
_HINT: Final = (
    "download MediaPipe without installing it, and name the file: pip download --no-deps "
    "--only-binary :all: --python-version 3.11 mediapipe==0.10.21"
)


@dataclass(frozen=True, slots=True)
class TfliteModel:
    """A TensorFlow Lite network that reads one picture, float32 [1, H, W, 3]."""

    interpreter: Any
    """ai_edge_litert's Interpreter, which has no types."""
    side_px: int
    """H and W."""

    def run(self, picture_HW3: NDArray[np.floating]) -> dict[tuple[int, ...], NDArray[np.float32]]:
        """Return the outputs for one picture, by their shapes, all of which differ."""
        (read,) = self.interpreter.get_input_details()
        self.interpreter.set_tensor(read["index"], picture_HW3[None].astype(np.float32))
        self.interpreter.invoke()
        return {
            tuple(int(side) for side in each["shape"]): self.interpreter.get_tensor(each["index"])
            for each in self.interpreter.get_output_details()
        }


def open_blazepose(
    path: Path, *, num_threads: int, shapes: Iterable[Iterable[tuple[int, ...]]]
) -> tuple[TfliteModel, TfliteModel]:
    """Open the detector and the network of landmarks.

    Args:
        path: wheel or zip file, or folder, which contains both networks at any depth.
        num_threads: CPU threads.
        shapes: shapes of the outputs that each must have.

    Raises:
        InputError: if the runtime is missing, a network is not there, or it is another one.
    """
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise InputError("BlazePose needs the package ai-edge-litert", hint="pip install 'autohier[poses]'")
    names, read = _contents(path)
    detector = _find(names, (_DETECTOR,), path)
    landmarks = _find(names, _LANDMARKS, path)
    first, second = (
        _open(f"{name} in {path}", read(name), set(needed), num_threads)
        for name, needed in zip((detector, landmarks), shapes, strict=True)
    )
    return first, second


def _contents(path: Path) -> tuple[list[str], Callable[[str], bytes]]:
    """Return the names of the files in a folder or a zip file, and a function that reads one."""
    if path.is_dir():
        files = {each.relative_to(path).as_posix(): each for each in sorted(path.rglob("*.tflite"))}
        return [*files], lambda name: files[name].read_bytes()
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(
            "BlazePose must be a folder or a package with its networks", got=f"{path}: {error}", hint=_HINT
        ) from error
    return archive.namelist(), archive.read


def _find(names: list[str], wanted: Iterable[str], path: Path) -> str:
    wanted = tuple(wanted)
    for file_name in wanted:
        for name in names:
            if PurePosixPath(name).name == file_name:
                return name
    raise InputError(f"{path} must contain {' or '.join(wanted)}", got="none", hint=_HINT)


def _open(origin: str, content: bytes, shapes: set[tuple[int, ...]], num_threads: int) -> TfliteModel:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  an extra

    try:
        interpreter = Interpreter(model_content=content, num_threads=num_threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{origin} must be a TensorFlow Lite model", got=damage_text(error)) from error
    found = {tuple(int(side) for side in each["shape"]) for each in interpreter.get_output_details()}
    if not shapes <= found:
        raise InputError(
            f"{origin} must have outputs of the shapes {sorted(shapes)}", got=sorted(found), hint=_HINT
        )
    (read,) = interpreter.get_input_details()
    return TfliteModel(interpreter, side_px=int(read["shape"][1]))
