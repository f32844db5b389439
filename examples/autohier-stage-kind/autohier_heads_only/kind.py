"""The stage kind: pass 2 with a frozen recognizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.hierarchy import Hierarchy
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import BaseInputs
from autohier.core.stages.kinds.base import PlannedStage
from autohier.core.stages.kinds.hac import Pass2
from autohier.core.stages.result import StageResult


class HeadsOnly(Pass2):
    """Pass 2 that trains the heads only. It has the inputs of pass 2; the name makes its keys differ."""

    name = "heads-only"
    version = 1

    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """See `StageKind`."""
        stage = super().plan(config, base, ancestors, hierarchy, rates)
        return PlannedStage(stage.inputs, partial(_freeze_recognizer, stage.prepare))


def _freeze_recognizer(prepare: Callable[[StageContext], TrainingJob], context: StageContext) -> TrainingJob:
    job = prepare(context)
    job.network.recognizer.requires_grad_(False)
    return job
