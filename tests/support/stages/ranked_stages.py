"""Stages of the tiny clip store that several ranks train."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.kinds.base import PlannedStage, StageKind
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.stage_key import stage_key
from autohier.core.stages.training import stage_epochs
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.replicas import Replicas
from autohier.data.store.reader import ClipStore
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import open_tiny_trial

STAGES = (("pass-1", 0), ("pass-2", 0), ("prune", 1))
"""Kinds and pass indices of a chain."""


def plan(trial: TrialSetup, kind: StageKind, ancestors: Sequence[StageResult]) -> PlannedStage:
    """Return the stage of a kind after its ancestors."""
    hierarchy = kind.hierarchy(trial.config, ancestors, trial.given_superclasses())
    return kind.plan(trial.config, trial.base, ancestors, hierarchy, trial.rates_of(len(ancestors)))


def train_chain(
    replicas: Replicas, config: TrialConfig, clips: ClipStore, folder: Path
) -> tuple[list[StageResult | None], list[tuple[Any, ...]]]:
    """Train a chain as one of the ranks; return the results of its stages and the callback's events."""
    recorder = RecordingCallback()
    trial = open_tiny_trial(config, clips, folder, recorder)
    results: list[StageResult | None] = []
    ancestors: list[StageResult] = []
    for name, pass_index in STAGES:
        kind = find_stage_kind(name)
        stage = plan(trial, kind, ancestors)
        epochs = stage_epochs(kind, stage, trial.context, pass_index=pass_index, replicas=replicas)
        results.append(_finish(epochs))
        replicas.sum_(torch.zeros(1))  # waits until rank 0 has published the stage
        published = trial.context.store.find(kind, stage_key(kind, stage.inputs))
        if published is not None:
            ancestors.append(published)
    return results, recorder.events


def train_first_epochs(
    replicas: Replicas, config: TrialConfig, clips: ClipStore, folder: Path, number: int
) -> list[int]:
    """Train the first epochs of pass 1 as one of the ranks, and stop; return the numbers of the epochs."""
    trial, kind = open_tiny_trial(config, clips, folder), find_stage_kind("pass-1")
    epochs = stage_epochs(kind, plan(trial, kind, ()), trial.context, pass_index=0, replicas=replicas)
    found = [metrics.epoch for metrics in islice(epochs, number)]
    epochs.close()
    return found


def _finish(epochs: Generator[EpochMetrics, None, StageResult | None]) -> StageResult | None:
    while True:
        try:
            next(epochs)
        except StopIteration as end:
            result: StageResult | None = end.value
            return result
