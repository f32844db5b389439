"""Prediction with onnxruntime alone: without torch and Ray, with the probabilities that torch gives."""

from __future__ import annotations

import csv
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from autohier.core.stages.clip_readings import open_reading
from autohier.data.datasets.demo.generate import _record_take, _Take
from autohier.data.inputs.named import tensors_of
from autohier.data.store.reader import ClipStore
from autohier.deploy.model_file import read_model_file
from autohier.deploy.networks.onnx_network import OnnxNetwork
from autohier.deploy.networks.torch_network import TorchNetwork
from autohier.deploy.prediction import Prediction, load_model
from autohier.errors import InputError
from support.doc_blocks import ROOT
from support.sources.tiny_clips import OVERRIDES, tiny_config
from support.sweep_runs.exported_models import export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

KINDS = {"frames": (), "skeletons": (*OVERRIDES["skeletons"], "recognizer={name='tcn', width=0.125}")}
"""Clip inputs, with small networks, as writing each as an ONNX program takes seconds."""
BLOCKED = ("torch", "ray", "optuna", "pyarrow", "scipy", "pandas", "safetensors", "tensorboard", "matplotlib")
"""Packages that predicting with onnxruntime must not need."""
BLOCK_AND_PREDICT = f"""
import sys
for name in {BLOCKED}:
    sys.modules[name] = None  # importing it is an ImportError
from autohier.cli.main import main
folder, *arguments = sys.argv[1:]
for kind in {tuple(KINDS)}:
    model = f"{{folder}}/{{kind}}"
    sys.argv = ["autohier", "predict", model, *arguments, "--out", f"{{model}}.csv"]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, kind
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """Folder of an exported model for each of KINDS; test sets are evaluated mirrored, too."""
    pytest.importorskip("onnxruntime", reason="needs the extra deploy")
    pytest.importorskip("onnxscript", reason="needs the extra deploy")
    folder = tmp_path_factory.mktemp("models")
    for kind, overrides in KINDS.items():
        finish_sweep(folder / "sweeps", kind, tiny_data, *overrides, "clips.test_flip=true")
        export_tiny(folder / "sweeps", kind, folder / kind, programs=("onnx",))
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of a moving person, and the skeletons of a camera, in NTU's sizes and formats."""
    folder = tmp_path_factory.mktemp("clips")
    for label in (1, 4):
        _record_take(folder, 0, _Take(2, 1, label))
    return folder


@pytest.mark.slow
def test_without_torch_and_ray_predictions_are_those_of_torch(models: Path, clips: Path) -> None:
    command = [sys.executable, "-c", BLOCK_AND_PREDICT, models, "--source", clips, "--top", "6"]
    ended = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    for kind in KINDS:
        rows = {row["clip"]: row for row in csv.DictReader((models / f"{kind}.csv").read_text().splitlines())}
        loaded = load_model(models / kind, runtime="torch", device="cpu")
        expected = list(loaded.predict_source(clips, top=6)[1])
        assert len(rows) == len(expected) == 6  # two performances, three cameras
        for each in expected:
            assert isinstance(each, Prediction)
            row = rows[each.clip_id]
            assert [row[f"class_{rank}"] for rank in range(1, 7)] == list(each.classes)
            for name, values in (("probability", each.probabilities), ("confidence", each.confidences)):
                got = [float(row[f"{name}_{rank}"]) for rank in range(1, 7)]
                np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-6)
            assert [int(row[f"superclass_{head}"]) for head in (1, 2)] == [
                guess.index for guess in each.superclasses
            ]


@pytest.mark.slow
def test_programs_take_batches_of_any_size_and_return_every_head(models: Path) -> None:
    for kind in KINDS:
        session = importlib.import_module("onnxruntime").InferenceSession(models / kind / "network1.onnx")
        shape = read_model_file(models / kind).networks[0].network.clip_shape
        for size in (1, 5):
            scores = session.run(None, {"clips": np.zeros((size, *shape), dtype=np.float32)})
            assert [each.shape for each in scores] == [(size, 2), (size, 3), (size, 6)]


class TorchSession:
    """A torch network with the methods of an onnxruntime session."""

    def __init__(self, network: nn.Module, names: Sequence[str] = ("clips",)) -> None:
        self.network = network
        self.names = names

    def get_inputs(self):
        return [SimpleNamespace(name=name) for name in self.names]

    @torch.no_grad()
    def run(self, _, given):
        clips = {name: torch.from_numpy(given[name]) for name in self.names}
        return [scores.numpy() for scores in self.network(clips if len(clips) > 1 else clips["clips"])]


class TwoHeads(nn.Module):
    """Scores of two heads that differ with every value of a clip."""

    def forward(self, clips):
        values = torch.cat([each.flatten(1) for each in tensors_of(clips)], dim=1)
        waves = torch.arange(values.shape[1], dtype=torch.float32)
        fine = torch.stack([values @ torch.sin(waves * rate) for rate in (1.0, 1.7, 2.3)], dim=1)
        return [fine[:, :2] / 7, fine]


@pytest.mark.parametrize("kind", OVERRIDES)
@pytest.mark.parametrize("flip", [False, True])
def test_sets_flips_and_batches_are_averaged_as_with_torch(tiny_clips: ClipStore, kind: str, flip: bool):
    config = tiny_config(*OVERRIDES[kind], f"clips.test_flip={str(flip).lower()}")
    shape = open_reading(config.clips, tiny_clips, tiny_clips.manifest).clip_shape
    rows, names = np.arange(3, 40, 2), list(shape) if isinstance(shape, dict) else ["clips"]
    own = TorchNetwork(TwoHeads(), config.clips, tiny_clips.manifest, torch.device("cpu"), 2, batch_size=8)
    session = TorchSession(TwoHeads(), names)
    other = OnnxNetwork(session, config.clips, tiny_clips.manifest, 2, batch_size=7)
    for expected, found in zip(own.predict(tiny_clips, rows), other.predict(tiny_clips, rows), strict=True):
        assert found.dtype == np.float32
        assert len(np.unique(found[:, 0])) == len(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_what_onnxruntime_cannot_do_is_said(tmp_path: Path, tiny_data: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra deploy")
    finish_sweep(tmp_path, "s", tiny_data)
    export_tiny(tmp_path, "s", tmp_path / "model")
    with pytest.raises(InputError, match=r"must find an ONNX program of each network, but got no .*1\.onnx"):
        load_model(tmp_path / "model", runtime="onnx", device="cpu")
    (tmp_path / "model" / "network1.onnx").write_bytes(b"no program")
    with pytest.raises(InputError, match=r"network1\.onnx must be an ONNX program"):
        load_model(tmp_path / "model", runtime="onnx", device="cpu")
    with pytest.raises(InputError, match="--device must name a device that onnxruntime can use here"):
        load_model(tmp_path / "model", runtime="onnx", device="mps")


def test_a_missing_onnxruntime_is_said(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_sweep(tmp_path, "s", tiny_data)
    export_tiny(tmp_path, "s", tmp_path / "model")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="--runtime onnx needs the package onnxruntime"):
        load_model(tmp_path / "model", runtime="onnx")
