"""Compacted stages: a network read from its file has the same outputs as the network of the stage."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from autohier.config.trial.clips import FrameClips, HeatmapClips, SkeletonClips
from autohier.config.trial.recognizers import InflatedResNetSettings, PoseSlowOnlySettings, StGcnSettings
from autohier.core.pruning import measure_cost
from autohier.core.stages.builders import clip_shape, network_options, open_clip_input
from autohier.core.stages.compacted import build_network, read_compacted, write_compacted
from autohier.core.stages.kinds.hac import PRUNE
from autohier.core.stages.network_description import CompactedNetwork
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.inputs.synthetic import SyntheticClips
from autohier.data.skeleton import KINECT_V1_20
from autohier.errors import InputError, StageDamagedError
from support.fakes.fake_outcomes import NESTED
from support.stages.compacted_stages import CLIP_SHAPE, clips_of_noise, publish_pruned


@torch.no_grad()
def test_the_network_is_read_without_the_stage_store(tmp_path):
    stage, masked = publish_pruned(tmp_path / "stages")
    path = tmp_path / "elsewhere" / "best.safetensors"
    write_compacted(StageStore(tmp_path / "stages"), PRUNE, stage.key, path)
    network, description = read_compacted(path)
    for one, other in zip(masked(clips_of_noise()), network(clips_of_noise()), strict=True):
        assert (one - other).abs().max() <= 1e-5 * one.abs().max()
    assert description.trained_on is not None
    assert description.trained_on.seed == 0
    assert description.model_copy(update={"trained_on": None}) == CompactedNetwork(
        recognizer="inflated-resnet18",
        options={"width": 0.125, "initialisation": "fan-in", "in_channels": 3},
        hierarchy=NESTED.assignments,
        clip_shape=CLIP_SHAPE,
        stage=stage.key,
    )
    assert not network.training
    assert not any(name.startswith("alive.") for name in load_file(path))


@pytest.mark.parametrize("multiple", [1, 16])
def test_the_reported_costs_are_those_of_the_file(tmp_path, multiple):
    stage, masked = publish_pruned(tmp_path / "stages")
    path = tmp_path / "best.safetensors"
    saving = write_compacted(StageStore(tmp_path / "stages"), PRUNE, stage.key, path, multiple=multiple)
    network, _ = read_compacted(path)
    assert saving.unpruned.parameters == sum(parameter.numel() for parameter in masked.parameters())
    assert saving.compacted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert saving.compacted == measure_cost(masked, CLIP_SHAPE, multiple=multiple)
    # 16 of 32 channels remain in stack 3.
    assert network.recognizer.layer3[0].conv1.out_channels == 16
    # 8 of 16 channels remain in stack 2, or all 16 with multiples of 16.
    assert network.recognizer.layer2[0].conv1.out_channels == (8 if multiple == 1 else 16)


def test_a_damaged_or_missing_stage_is_refused(tmp_path):
    stage, _ = publish_pruned(tmp_path / "stages")
    (tmp_path / "stages" / "prune" / stage.key / "model.safetensors").write_bytes(b"")
    for key in (stage.key, "0" * 64):
        with pytest.raises(
            StageDamagedError, match=rf"stage {key[:12]} must be in the store and undamaged: run"
        ):
            write_compacted(StageStore(tmp_path / "stages"), PRUNE, key, tmp_path / "best.safetensors")
    assert not (tmp_path / "best.safetensors").exists()


def test_other_files_are_refused(tmp_path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "others.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "newer.safetensors", {"autohier": '{"layers": 3}'})
    (tmp_path / "text").write_text("weights")
    for name in ("others.safetensors", "newer.safetensors", "text", "missing"):
        with pytest.raises(
            InputError, match=rf"{name} must be a file that autohier compact wrote, but got .*: write"
        ):
            read_compacted(tmp_path / name)


def test_a_network_stored_before_the_stem_pool_has_none():
    def build(**options):
        description = CompactedNetwork(
            recognizer="pose-slowonly",
            options={"width": 0.25, "in_channels": 5, **options},
            hierarchy=((0, 1),),
            clip_shape=(5, 4, 16, 16),
            stage="0" * 64,
        )
        return build_network(description).recognizer.maxpool

    assert type(build()) is nn.Identity
    assert type(build(stem_pool=True)) is nn.MaxPool3d


@pytest.mark.parametrize(
    ("recognizer", "clips"),
    [
        (InflatedResNetSettings(), FrameClips(num_frames=4, resize_px=30, crop_px=28)),
        (StGcnSettings(name="st-gcn"), SkeletonClips(input="skeletons", num_frames=20, num_persons=3)),
        (
            PoseSlowOnlySettings(name="pose-slowonly"),
            HeatmapClips(input="heatmaps", maps="limbs", size_px=20),
        ),
    ],
)
def test_the_clip_shape_follows_from_the_settings_alone(recognizer, clips):
    synthetic = SyntheticClips.generate(1, num_classes=1, size_px=32, channels=1, layout=KINECT_V1_20)
    contents = SimpleNamespace(channels=1, layout=KINECT_V1_20)
    expected = open_clip_input(clips, synthetic, contents).clip_shape
    assert clip_shape(clips, network_options(recognizer, clips, contents)) == expected
