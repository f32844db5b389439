"""Compacted stages: what is written is read again elsewhere, and classifies as the stage's network does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from autohier.core.pruning import measure_cost
from autohier.core.stages.compacted import CompactedNetwork, read_compacted, write_compacted
from autohier.core.stages.forms import clip_shape, network_options, open_form
from autohier.core.stages.store import StageStore
from autohier.data.made_up import MadeUpClips
from autohier.errors import InputError, StageDamagedError
from autohier.settings.clips import FrameClips, HeatmapClips, SkeletonClips
from autohier.settings.recognizers import InflatedResNetSettings, PoseSlowOnlySettings, StGcnSettings
from compacted_stages import CLIP_SHAPE, clips_of_noise, publish_pruned
from fake_outcomes import NESTED


@torch.no_grad()
def test_the_network_is_read_without_the_stage(tmp_path):
    stage, masked = publish_pruned(tmp_path / "stages")
    path = tmp_path / "elsewhere" / "best.safetensors"
    write_compacted(StageStore(tmp_path / "stages"), "prune", stage.key, path)
    network, told = read_compacted(path)
    for one, other in zip(masked(clips_of_noise()), network(clips_of_noise()), strict=True):
        assert (one - other).abs().max() <= 1e-5 * one.abs().max()
    assert told == CompactedNetwork(
        recognizer="inflated-resnet18",
        options={"width": 0.125, "initialisation": "fan-in", "in_channels": 3},
        hierarchy=NESTED.assignments,
        clip_shape=CLIP_SHAPE,
        stage=stage.key,
    )
    assert not network.training
    assert not any(name.startswith("alive.") for name in load_file(path))


@pytest.mark.parametrize("multiple", [1, 16])
def test_what_it_saves_is_what_the_file_holds(tmp_path, multiple):
    stage, masked = publish_pruned(tmp_path / "stages")
    path = tmp_path / "best.safetensors"
    saving = write_compacted(StageStore(tmp_path / "stages"), "prune", stage.key, path, multiple=multiple)
    network, _ = read_compacted(path)
    assert saving.unpruned.parameters == sum(parameter.numel() for parameter in masked.parameters())
    assert saving.compacted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert saving.compacted == measure_cost(masked, CLIP_SHAPE, multiple=multiple)
    # Stacks 3 and 4 are left with 16 and 32 of 32 and 64 channels.
    assert network.recognizer.layer3[0].conv1.out_channels == 16
    # Those of 8 and 16 keep half, or all of 8 and 16.
    assert network.recognizer.layer2[0].conv1.out_channels == (8 if multiple == 1 else 16)


def test_a_stage_that_is_damaged_or_gone_is_refused(tmp_path):
    stage, _ = publish_pruned(tmp_path / "stages")
    (tmp_path / "stages" / "prune" / stage.key / "model.safetensors").write_bytes(b"")
    for key in (stage.key, "0" * 64):
        with pytest.raises(StageDamagedError, match=rf"stage {key[:12]} must be whole: run its trial again"):
            write_compacted(StageStore(tmp_path / "stages"), "prune", key, tmp_path / "best.safetensors")
    assert not (tmp_path / "best.safetensors").exists()


def test_other_files_are_refused(tmp_path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "others.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "newer.safetensors", {"autohier": '{"layers": 3}'})
    (tmp_path / "text").write_text("weights")
    for name in ("others.safetensors", "newer.safetensors", "text", "missing"):
        with pytest.raises(
            InputError, match=rf"{name} must be a file of autohier compact, but got .*: write"
        ):
            read_compacted(tmp_path / name)


@pytest.mark.parametrize(
    ("recognizer", "clips"),
    [
        (InflatedResNetSettings(), FrameClips(num_frames=4, resize_px=30, crop_px=28)),
        (StGcnSettings(name="st-gcn"), SkeletonClips(form="skeletons", num_frames=20, num_persons=3)),
        (PoseSlowOnlySettings(name="pose-slowonly"), HeatmapClips(form="heatmaps", maps="limbs", size_px=20)),
    ],
)
def test_the_shape_of_a_clip_is_known_without_clips(recognizer, clips):
    made_up = MadeUpClips.of(1, num_classes=1, size_px=32, channels=1, joint_layout="kinect-v1-20")
    contents = SimpleNamespace(channels=1, joint_layout="kinect-v1-20")
    expected = open_form(clips, made_up, contents).clip_shape
    assert clip_shape(clips, network_options(recognizer, clips, contents)) == expected
