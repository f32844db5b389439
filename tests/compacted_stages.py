"""A pruned stage as a trial leaves it in its store, on clips so small that they pass at once."""

from __future__ import annotations

from pathlib import Path

import torch

from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.result import StageResult
from autohier.core.stages.store import StageStore
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.settings.clips import FrameClips
from fake_outcomes import fake_stage
from fake_stages import INPUTS

CLIP_SHAPE = (3, 2, 16, 16)


def publish_pruned(folder: Path) -> tuple[StageResult, HierarchicalRecognizer]:
    """The stage, and its network with half of its filters dead."""
    basis = INPUTS["prune"].basis
    network = build_recognizer(
        basis.network.name, num_classes=12, superclasses=(2, 4), seed=5, **basis.network.options
    )
    filters = network.recognizer.prunable_filters()
    alive = FilterMasks.all_alive(filters).alive
    masks = FilterMasks(choose_filters(filters, alive, ratio=0.5, scope="by-layer"))
    masks.apply(filters)
    clips = FrameClips(num_frames=CLIP_SHAPE[1], resize_px=20, crop_px=CLIP_SHAPE[2])
    stage = fake_stage("prune", 1, 90)
    StageStore(folder).publish(
        stage,
        INPUTS["prune"].model_copy(update={"basis": basis.model_copy(update={"clips": clips})}),
        {**network.state_dict(), **{f"alive.{name}": mask for name, mask in masks.to_state().items()}},
    )
    return stage, network.eval()


def clips_of_noise() -> torch.Tensor:
    """Two."""
    return torch.randn((2, *CLIP_SHAPE), generator=torch.Generator().manual_seed(0))
