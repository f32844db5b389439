"""Exported models whose network is a small ONNX program: it weighs the mean of what it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from autohier.config.trial.clips import FrameClips, SkeletonClips
from autohier.core.stages.network_description import CompactedNetwork
from autohier.data.store.manifest import StoreOptions
from autohier.deploy.model_file import (
    MODEL_FILE,
    Calibration,
    ClipFormat,
    ExportedModel,
    ExportedNetwork,
    MeasuredAccuracy,
    ModelProvenance,
)

CLASSES = ("jump", "sit", "wave")
_OPSET = 18


def write_skeleton_model(
    folder: Path, *, layout: str = "coco-17", clip_frames: int | None = 6, channels: int = 0
) -> Path:
    """Write a model that reads the joints of one person in two frame sets of four frames.

    With channels, its clips were prepared with pictures, as those of a user's own videos are.
    """
    clips = SkeletonClips(input="skeletons", num_frames=4, num_persons=1, test_sets=2)
    return _write(folder, clips, _options(modality="skeleton"), channels, layout, clip_frames)


def write_frame_model(folder: Path, *, cropped: bool = True, channels: int = 3, max_frames: int = 4) -> Path:
    """Write a model that reads two frames of 16 pixels, cropped to the person by default."""
    clips = FrameClips(num_frames=2, resize_px=16, crop_px=16, test_sets=1)
    modality = "rgb" if channels == 3 else "depth"
    options = _options(modality=modality, cropped=cropped, max_frames=max_frames)
    return _write(folder, clips, options, channels, "coco-17", 6)


def _options(**values: Any) -> StoreOptions:
    usual = {"dataset": "mine", "size_px": 16, "max_frames": 4, "jpeg_quality": 95, "cropped": True}
    return StoreOptions.model_validate(usual | {"without_skeleton": "reject"} | values)


def _write(
    folder: Path,
    clips: FrameClips | SkeletonClips,
    options: StoreOptions,
    channels: Any,
    layout: str,
    clip_frames: int | None,
) -> Path:
    folder.mkdir(parents=True)
    network = ExportedNetwork(
        name="s:t0000",
        weights="network1.safetensors",
        clips=clips,
        prepared=ClipFormat(options=options, channels=channels, joint_layout=layout, sided=False),
        clip_frames=clip_frames,
        network=CompactedNetwork(
            recognizer="st-gcn", options={}, hierarchy=((0, 1, 2),), clip_shape=(1,), stage="0"
        ),
        trained_on="training clips",
        parameters=1,
        multiply_adds=1,
    )
    model = ExportedModel(
        name="s:t0000",
        dataset="mine",
        protocol="random",
        validation="clean",
        classes=CLASSES,
        networks=(network,),
        calibration=Calibration(temperature=0.5, error_before=0, error_after=0, num_clips=1),
        validation_result=MeasuredAccuracy(accuracy=0.5, low=0, high=1, num_clips=2),
        provenance=ModelProvenance(autohier="0", torch="0", created_at="", stages=(), clips=()),
    )
    (folder / MODEL_FILE).write_bytes(model.content())
    _write_program(folder / "network1.onnx")
    return folder


def _write_program(path: Path) -> None:
    """Write the program: the scores are the mean and the variance of a clip, times a matrix."""
    weights = np.array([[3.0, -2.0, 0.5], [-1.0, 4.0, 2.0]], np.float32)
    nodes = [
        helper.make_node("Flatten", ["clips"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat", "axis"], ["mean"], keepdims=1),
        helper.make_node("ReduceSumSquare", ["flat", "axis"], ["squares"], keepdims=1),
        helper.make_node("Concat", ["mean", "squares"], ["moments"], axis=1),
        helper.make_node("MatMul", ["moments", "weights"], ["sums"]),
        helper.make_node("Sin", ["sums"], ["scores"]),
    ]
    constants = {"axis": np.array([1]), "weights": weights}
    graph = helper.make_graph(
        nodes,
        "moments",
        [helper.make_tensor_value_info("clips", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, len(CLASSES)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.save(model, path)
