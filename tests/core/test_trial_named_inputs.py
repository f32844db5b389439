"""A complete trial on frames with heatmaps: every stage, evaluation, compaction, export and new clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import autohier
from autohier.config.search.loading import load_space
from autohier.core.stages.compacted import read_compacted, write_compacted
from autohier.core.trial import evaluate_on_test, run_trial
from autohier.data.store.reader import ClipStore
from autohier.deploy.model_file import read_model_file
from autohier.deploy.new_clips import ClipArrays
from autohier.errors import InputError
from autohier.fusion.evaluate import evaluate_model
from autohier.sweep.planning.profiler import open_synthetic
from support.networks.two_inputs import OVERRIDES, two_inputs_package
from support.sources.tiny_clips import (
    CLASS_NAMES,
    NUM_FRAMES,
    SPACE_FILE,
    ColourReader,
    open_tiny_trial,
    tiny_config,
)
from support.sweep_runs.exported_models import OPENER, export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

SHAPES = {"frames": (3, 4, 12, 12), "heatmaps": (25, 4, 8, 8)}


@pytest.fixture(autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with two_inputs_package(tmp_path_factory.mktemp("site")):
        yield


def test_every_stage_is_trained_evaluated_and_compacted(tiny_clips: ClipStore, tmp_path: Path) -> None:
    trial = open_tiny_trial(tiny_config(*OVERRIDES, passes=1), tiny_clips, tmp_path)
    assert trial.data_loader.clip_shape == SHAPES
    outcome = run_trial(trial)
    assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1"]
    evaluations = dict(evaluate_on_test(trial, outcome))
    assert evaluations["pass 2"].num_clips == 48
    again = run_trial(trial)
    assert [stage.reused for stage in again.stages] == [True, True, True]
    stage = outcome.stages[-1]
    saving = write_compacted(trial.context.store, stage.kind, stage.key, tmp_path / "x.safetensors")
    network, description = read_compacted(tmp_path / "x.safetensors")
    assert description.clip_shape == SHAPES
    assert saving.compacted.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_an_exported_model_predicts_new_clips_and_is_written_as_programs(
    tiny_data: Path, tmp_path: Path
) -> None:
    finish_sweep(tmp_path, "s", tiny_data, *OVERRIDES, passes=0)
    model, _ = export_tiny(tmp_path, "s", tmp_path / "model", programs=("pt2", "onnx"))
    assert {path.name for path in (tmp_path / "model").iterdir()} >= {"network1.pt2", "network1.onnx"}
    (network,) = read_model_file(tmp_path / "model").networks
    assert network.network.clip_shape == SHAPES
    expected = evaluate_model(model, "test", refitted=False, opener=OPENER, log=lambda _: None).predictions
    loaded, reader = autohier.load_model(tmp_path / "model", device="cpu"), ColourReader()
    sources = {clip.clip_id: clip for clip in reader.find_clips(Path())}
    for row in (0, 20, 40):
        clip = sources[expected.clip_ids[row]]
        skeleton = reader.read_skeleton(clip)
        arrays = ClipArrays(
            frames_THWC=np.stack(list(reader.read_frames(clip, range(NUM_FRAMES)))),
            pixels_MTV2=skeleton.pixels_MTV2,
            joints_MTV3_m=skeleton.joints_MTV3_m,
            image_size_px=(skeleton.image_width_px, skeleton.image_height_px),
        )
        prediction = loaded.predict(arrays, top=6)
        own_K = expected.probabilities_NK[row]
        assert prediction.classes[0] == CLASS_NAMES[int(own_K.argmax())]
        np.testing.assert_allclose(prediction.probabilities, np.sort(own_K)[::-1], rtol=1e-4)


def test_the_planner_generates_clips_with_both_inputs() -> None:
    _, data_loader = open_synthetic(load_space(str(SPACE_FILE), OVERRIDES), "cpu")
    clips, labels = next(iter(data_loader.training_epoch(0)))
    assert isinstance(clips, dict)
    assert {name: tuple(each.shape) for name, each in clips.items()} == {
        name: (len(labels), *shape) for name, shape in SHAPES.items()
    }
    assert all(tensor.any() for tensor in clips.values())


def test_other_clips_are_refused_before_any_is_read() -> None:
    with pytest.raises(InputError, match=r"two-inputs reads frames\+heatmaps, but clips\.input is 'frames'"):
        load_space(str(SPACE_FILE), ["recognizer={name='two-inputs'}"])
    with pytest.raises(InputError, match=r"inflated-resnet18 reads frames, but .*'frames\+heatmaps'"):
        load_space(str(SPACE_FILE), [OVERRIDES[0]])
    with pytest.raises(InputError, match="crop_px <= resize_px must hold, but got 20 > 16"):
        load_space(str(SPACE_FILE), [OVERRIDES[1], OVERRIDES[0].replace("crop_px=12", "crop_px=20")])
