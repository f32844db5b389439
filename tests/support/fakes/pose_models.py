"""Small ONNX models with the inputs and outputs of pose models, which find the brightest spot.

The joints of the person lie around the spot as `offsets_px` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 13


def offsets_px(num_joints: int = 17) -> np.ndarray:
    """Return the places of the joints [V, 2] in pixels of the picture, from the spot: rows of three."""
    joints = np.arange(num_joints)
    return np.stack([4 * (joints % 3 - 1), 3 * (joints // 3 - 2)], axis=1)


def write_rtmo(path: Path, *, width_px: int = 96, height_px: int = 64, num_joints: int = 17) -> Path:
    """Write a model like RTMO: one person around the spot, in a box of 8 pixels."""
    place = [*_brightest(), _node("Concat", ["x", "y"], "place", axis=0)]
    nodes = [
        *place,
        _node("Concat", ["place", "sure"], "joint", axis=0),
        _node("Add", ["joint", "offsets"], "keypoints"),
        *_box(),
    ]
    offsets = np.pad(offsets_px(num_joints), ((0, 0), (0, 1)))[None, None].astype(np.float32)
    constants = {"offsets": offsets, "sure": np.array([0.9], np.float32)}
    return _write(path, nodes, constants, ("dets", "keypoints"), width_px, height_px)


def write_detector(path: Path, *, width_px: int = 96, height_px: int = 64, label: int = 0) -> Path:
    """Write a model like YOLOX behind its suppression: one box of 8 pixels around the spot."""
    nodes = [
        *_brightest(),
        _node("Concat", ["x", "y"], "place", axis=0),
        *_box(),
        _node("Identity", ["label"], "labels"),
    ]
    constants = {"label": np.array([[label]])}
    return _write(path, nodes, constants, ("dets", "labels"), width_px, height_px)


def write_rtmpose(path: Path, *, width_px: int = 48, height_px: int = 64, num_joints: int = 17) -> Path:
    """Write a model like RTMPose: along each axis, the brightest value of every column or row, twice.

    Those of a joint are shifted by its offset.
    """
    nodes = [_node("ReduceSum", ["picture", "channels"], "bright", keepdims=0)]
    constants: dict[str, np.ndarray] = {"channels": np.array([1])}
    axes = zip(("simcc_x", "simcc_y"), (1, 2), (width_px, height_px), offsets_px(num_joints).T, strict=True)
    for name, axis, side, shifts in axes:
        constants |= {
            f"{name}_twice": np.array([1, side, 2]),
            f"{name}_flat": np.array([1, 2 * side]),
            f"{name}_shifted": np.clip(np.arange(2 * side) - 2 * shifts[:, None], 0, 2 * side - 1),
        }
        nodes += [
            _node("ReduceMax", ["bright"], f"{name}_line", axes=[axis], keepdims=0),
            _node("Unsqueeze", [f"{name}_line", "last"], f"{name}_column"),
            _node("Expand", [f"{name}_column", f"{name}_twice"], f"{name}_pairs"),
            _node("Reshape", [f"{name}_pairs", f"{name}_flat"], f"{name}_steps"),
            _node("Gather", [f"{name}_steps", f"{name}_shifted"], name, axis=1),
        ]
    constants["last"] = np.array([2])
    return _write(path, nodes, constants, ("simcc_x", "simcc_y"), width_px, height_px)


def _brightest() -> list[onnx.NodeProto]:
    """Return the nodes that find the middle of the first brightest pixel: x [1] and y [1]."""
    nodes = [_node("ReduceSum", ["picture", "channels"], "bright", keepdims=0)]
    for name, axis in (("x", 1), ("y", 2)):
        nodes += [
            _node("ReduceMax", ["bright"], f"{name}_line", axes=[axis], keepdims=0),
            _node("ArgMax", [f"{name}_line"], f"{name}_index", axis=1, keepdims=0),
            _node("Cast", [f"{name}_index"], f"{name}_corner", to=TensorProto.FLOAT),
            _node("Add", [f"{name}_corner", "half"], name),
        ]
    return nodes


def _box() -> list[onnx.NodeProto]:
    return [
        _node("Sub", ["place", "reach"], "first"),
        _node("Add", ["place", "reach"], "last_corner"),
        _node("Concat", ["first", "last_corner", "found"], "flat_box", axis=0),
        _node("Reshape", ["flat_box", "one_box"], "dets"),
    ]


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], **attributes)


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    outputs: tuple[str, ...],
    width_px: int,
    height_px: int,
) -> Path:
    shared = {
        "channels": np.array([1]),
        "half": np.array([0.5], np.float32),
        "reach": np.array([4], np.float32),
        "found": np.array([0.8], np.float32),
        "one_box": np.array([1, 1, 5]),
    }
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "spot",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, height_px, width_px])],
        [
            helper.make_tensor_value_info(
                name, TensorProto.INT64 if name == "labels" else TensorProto.FLOAT, None
            )
            for name in outputs
        ],
        [
            numpy_helper.from_array(value, name)
            for name, value in (shared | constants).items()
            if name in used
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.save(model, path)
    return path


def spot(x: int, y: int, *, width_px: int = 300, height_px: int = 200) -> np.ndarray:
    """Return a black frame [H, W, 3] with a spot around a pixel, which is the brightest."""
    rows, columns = np.mgrid[:height_px, :width_px]
    distance = np.maximum(abs(rows - y), abs(columns - x))
    bright_HW = np.clip(255 - 15 * distance, 0, None).astype(np.uint8)
    return np.repeat(bright_HW[:, :, None], 3, axis=2)
