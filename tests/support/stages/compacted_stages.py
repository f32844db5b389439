"""A pruned stage as a trial leaves it in its store, on clips so small that they pass at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from autohier.config.trial.clips import FrameClips
from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.kinds.hac import PRUNE
from autohier.core.stages.result import StageResult
from autohier.core.stages.stage_key import stage_key
from autohier.core.stages.store.stage_store import StageStore
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from support.fakes.fake_outcomes import fake_inputs, fake_stage
from support.fakes.fake_stages import INPUTS

CLIP_SHAPE = (3, 2, 16, 16)


def publish_pruned(folder: Path) -> tuple[StageResult, HierarchicalRecognizer]:
    """The stage, and its network with half of its filters dead."""
    base = INPUTS["prune"].base
    network = build_recognizer(
        base.network.name, num_classes=12, superclasses=(2, 4), seed=5, **base.network.options
    )
    filters = network.recognizer.prunable_filters()
    alive = FilterMasks.all_alive(filters).alive
    masks = FilterMasks(choose_filters(filters, alive, ratio=0.5, scope="layerwise"))
    masks.apply(filters)
    clips = FrameClips(num_frames=CLIP_SHAPE[1], resize_px=20, crop_px=CLIP_SHAPE[2])
    stage = fake_stage("prune", 1, 90)
    inputs = fake_inputs(stage)
    inputs = inputs.model_copy(update={"base": inputs.base.model_copy(update={"clips": clips})})
    stage = replace(stage, key=stage_key(PRUNE, inputs))
    StageStore(folder).publish(
        stage,
        inputs,
        {**network.state_dict(), **{f"alive.{name}": mask for name, mask in masks.to_state().items()}},
    )
    return stage, network.eval()


def clips_of_noise() -> torch.Tensor:
    """Two."""
    return torch.randn((2, *CLIP_SHAPE), generator=torch.Generator().manual_seed(0))
