"""A complete trial with two pathways: every stage, evaluation, compaction, export and starts by pathway."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import autohier
from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.hierarchy import Hierarchy
from autohier.core.prediction import predict_validation
from autohier.core.stages.callbacks import RefitCallback, TrialCallback
from autohier.core.stages.compacted import read_compacted, write_compacted
from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import Predictions
from autohier.core.trial import evaluate_on_test, run_trial
from autohier.data.store.reader import ClipStore
from autohier.deploy.model_file import read_model_file
from autohier.deploy.networks.exported_programs import Program
from autohier.deploy.networks.runtimes import RuntimeName
from autohier.deploy.new_clips import ClipArrays
from autohier.errors import InputError
from autohier.fusion.evaluate import evaluate_model
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.records.rows import stage_rows
from autohier.sweep.plans.starts import check_networks, resolve_starts
from support.fakes.fake_outcomes import fake_stage
from support.sources.tiny_clips import (
    NUM_FRAMES,
    OVERRIDES,
    SPACE_FILE,
    ColourReader,
    open_tiny_trial,
    tiny_config,
)
from support.sweep_runs.exported_models import OPENER, export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

CLIPS = {
    "frames+heatmaps": {"frames": (3, 2, 16, 16), "heatmaps": (25, 4, 4, 4)},
    "frames+skeletons": {"frames": (3, 2, 16, 16), "skeletons": (1, 4, 25, 3)},
    "parts+skeletons": {
        **dict.fromkeys(("left_hand", "right_hand", "body"), (3, 2, 16, 16)),
        "skeletons": (1, 4, 25, 3),
    },
}
WHOLE = ("clips.parts=['left_hand', 'right_hand', 'body']", "recognizer.member=whole")
RGB_POSE = OVERRIDES["frames+heatmaps"]
HEADS = [
    f"{path}_stack{level + skipped}" for level in (1, 2, 3) for path, skipped in (("rgb", 1), ("pose", 0))
]


@pytest.mark.slow
@pytest.mark.parametrize("clip_input", CLIPS)
def test_every_stage_is_trained_evaluated_and_compacted(
    tiny_clips: ClipStore, tmp_path: Path, clip_input: str
) -> None:
    whole = WHOLE if clip_input == "parts+skeletons" else ()
    trial = open_tiny_trial(tiny_config(*OVERRIDES[clip_input], *whole, passes=1), tiny_clips, tmp_path)
    assert trial.data_loader.clip_shape == CLIPS[clip_input]
    outcome = run_trial(trial)
    assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1"]
    levels = [len(stage.stack_accuracies) for stage in outcome.stages]
    assert levels == [len(stage.epochs[0].stack_losses) for stage in outcome.stages]
    assert levels == [1, *[len(trial.config.params.superclasses) + 1] * 2]
    tested = dict(evaluate_on_test(trial, outcome))["pass 2"]
    assert tested.num_clips == 48
    own = cast("HierarchicalRecognizer", trial.load_network(outcome.kept))
    pathways = [pathway.name for pathway in own.pathways]
    assert [*tested.pathway_accuracies] == (pathways if len(pathways) > 1 else [])
    assert [stage.reused for stage in run_trial(trial).stages] == [True, True, True]
    stage = outcome.stages[-1]
    saving = write_compacted(trial.context.store, stage.kind, stage.key, tmp_path / "x.safetensors")
    network, description = read_compacted(tmp_path / "x.safetensors")
    assert description.clip_shape == CLIPS[clip_input]
    assert saving.compacted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert saving.compacted.parameters < saving.unpruned.parameters


def test_the_prediction_is_the_mean_of_both_pathways(tiny_clips: ClipStore, tmp_path: Path) -> None:
    trial = open_tiny_trial(tiny_config(*RGB_POSE, passes=0), tiny_clips, tmp_path)
    stage = run_trial(trial).stages[-1]
    network = cast("HierarchicalRecognizer", trial.load_network(stage)).eval()
    assert list(network.heads) == HEADS
    rgb, pose = network.heads["rgb_stack4"], network.heads["pose_stack3"]
    loader, sets_PNK = trial.data_loader, []
    with torch.no_grad():
        for index in range(loader.test_sets):
            batches = loader.evaluation_set("validation", index, loader.test_sets)
            features = [network.recognizer.forward_stacks(clips) for clips, _ in batches]
            both = [torch.stack([rgb(each[3]), pose(each[-1])]).softmax(dim=2) for each in features]
            sets_PNK.append(torch.cat(both, dim=1))
    alone_PNK = torch.stack(sets_PNK).mean(dim=0).numpy()
    found = predict_validation(trial, stage)
    np.testing.assert_allclose(found.probabilities_NK, alone_PNK.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert stage.accuracy == found.accuracy
    assert list(found.pathways) == ["rgb", "pose"]
    np.testing.assert_allclose([*found.pathways.values()], alone_PNK, rtol=1e-5, atol=1e-6)
    rgb_right, pose_right = (alone_PNK.argmax(axis=2) == found.labels_N).mean(axis=1)
    own = {"rgb": pytest.approx(rgb_right), "pose": pytest.approx(pose_right)}
    assert stage.pathway_accuracies == found.pathway_accuracies == own
    stored = trial.context.store.find(stage.kind, stage.key)
    assert stored is not None
    (row,) = stage_rows("t0000", [stored])
    assert dict(zip(row.pathways, row.pathway_accuracies, strict=True)) == own
    part = found.of(found.clip_ids[:2])
    np.testing.assert_array_equal(part.pathways["pose"], found.pathways["pose"][:2])
    np.testing.assert_array_equal(
        Predictions.joined([part, found]).pathways["pose"][2:], found.pathways["pose"]
    )


def _with_pathways(accuracies: dict[str, float]) -> StageResult:
    return replace(fake_stage("pass-1", 0, 60), pathway_accuracies=accuracies)


def test_pathways_of_folds_are_averaged() -> None:
    folds = [_with_pathways(own) for own in ({"a": 0.5, "b": 1.0}, {"a": 0.25, "b": 0.5})]
    assert FoldedResult.of(folds).pathway_accuracies == {"a": 0.375, "b": 0.75}
    older = _with_pathways({})
    assert FoldedResult.of([folds[0], older]).pathway_accuracies == {}


def test_a_refit_measures_no_pathway_on_its_training_clips() -> None:
    ended = []

    class Kept(TrialCallback):
        def on_stage_end(self, result: StageResult) -> None:
            ended.append(result.pathway_accuracies)

    RefitCallback(Kept()).on_stage_end(_with_pathways({"a": 0.5}))
    assert math.isnan(ended[0]["a"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clip_input", "program"), [("frames+heatmaps", "onnx"), ("frames+skeletons", "pt2")]
)
def test_an_exported_model_is_written_as_a_program_and_predicts(
    tiny_data: Path, tmp_path: Path, clip_input: str, program: Program
) -> None:
    finish_sweep(tmp_path, "s", tiny_data, *OVERRIDES[clip_input], passes=0)
    model, _ = export_tiny(tmp_path, "s", tmp_path / "model", programs=(program,))
    assert (tmp_path / "model" / f"network1.{program}").is_file()
    (network,) = read_model_file(tmp_path / "model").networks
    assert network.network.clip_shape == CLIPS[clip_input]
    evaluated = evaluate_model(model, "test", refitted=False, opener=OPENER, log=lambda _: None)
    expected, reader = evaluated.predictions, ColourReader()
    sources = {clip.clip_id: clip for clip in reader.find_clips(Path())}
    skeleton = reader.read_skeleton(clip := sources[expected.clip_ids[0]])
    arrays = ClipArrays(
        frames_THWC=np.stack(list(reader.read_frames(clip, range(NUM_FRAMES)))),
        pixels_MTV2=skeleton.pixels_MTV2,
        joints_MTV3_m=skeleton.joints_MTV3_m,
        image_size_px=(skeleton.image_width_px, skeleton.image_height_px),
    )
    runtimes: tuple[RuntimeName, ...] = ("torch", "onnx") if program == "onnx" else ("torch",)
    for runtime in runtimes:
        loaded = autohier.load_model(tmp_path / "model", device="cpu", runtime=runtime)
        prediction = loaded.predict(arrays, top=6)
        own_K = np.sort(expected.probabilities_NK[0])[::-1]
        np.testing.assert_allclose(prediction.probabilities, own_K, rtol=1e-4)


class TestStarts:
    def test_pathways_start_from_sweeps_of_their_own(
        self, tiny_data: Path, tiny_clips: ClipStore, tmp_path: Path
    ) -> None:
        frames = "clips={num_frames=2, resize_px=16, crop_px=16}"
        maps = "clips={input='heatmaps', num_frames=4, size_px=4}"
        rgb = "{name='slowonly-resnet50', width=0.03}"
        pose = "{name='pose-slowonly', width=0.03, last_frame_stride=1}"
        finish_sweep(tmp_path, "frames", tiny_data, frames, f"recognizer={rgb}", passes=0)
        finish_sweep(tmp_path, "poses", tiny_data, maps, f"recognizer={pose}", passes=0)
        starts = ("recognizer.start_rgb=frames", "recognizer.start_pose=poses")
        space = resolve_starts(load_space(str(SPACE_FILE), [*RGB_POSE, *starts]), tmp_path)
        paths = space.recognizer.start_paths
        assert {name: path.parent.name for name, path in paths.items()} == {"rgb": "pass-2", "pose": "pass-2"}
        check_networks(space)
        trial = open_tiny_trial(space.config(FLAT_PARAMS, seed=5), tiny_clips, tmp_path / "stages")
        lines = trial.describe_start().splitlines()
        assert [line.partition(" ")[0] for line in lines] == ["start_rgb:", "start_pose:"]
        assert "slowonly-resnet50" in lines[0]
        network = trial.context.build(trial.base.network, Hierarchy.flat(6), seed=5)
        own, alone = network.recognizer.state_dict(), load_file(paths["rgb"] / "model.safetensors")
        assert torch.equal(own["rgb.conv1.weight"], alone["recognizer.conv1.weight"])
        assert torch.equal(own["rgb.layer1.0.bn1.weight"], alone["recognizer.layer1.0.bn1.weight"])
        # The source has superclass heads on its earlier stacks, and the same classes.
        assert torch.equal(network.state_dict()["heads.rgb_stack4.weight"], alone["heads.stack4.weight"])

    def test_the_start_of_each_pathway_is_in_the_key(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        paths = []
        for seed in (1, 2):
            tensors = build_recognizer("slowonly-resnet50", num_classes=6, width=0.03, seed=seed).state_dict()
            save_file(tensors, tmp_path / f"{seed}.safetensors")
            paths.append(tmp_path / f"{seed}.safetensors")
        digests = []
        for overrides in ((), *((f"recognizer.start_rgb={str(path)!r}",) for path in paths)):
            config = load_space(str(SPACE_FILE), [*RGB_POSE, *overrides]).config(FLAT_PARAMS, seed=5)
            digests.append(open_tiny_trial(config, tiny_clips, tmp_path / "s").base.network.start_sha256)
        assert digests[0] is None
        assert len(set(digests)) == 3

    def test_a_start_that_does_not_fit_names_its_setting(self, tmp_path: Path) -> None:
        tensors = build_recognizer("slowonly-resnet50", num_classes=6, width=0.125, seed=0).state_dict()
        save_file(tensors, tmp_path / "wide.safetensors")
        start = f"recognizer.start_rgb={str(tmp_path / 'wide.safetensors')!r}"
        with pytest.raises(InputError, match=r"recognizer\.start_rgb must have the names and shapes"):
            check_networks(load_space(str(SPACE_FILE), [*RGB_POSE, start]))
