"""Stages that train nothing: inputs, keys and tensors are real, measurements are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import Cost
from autohier.core.stages.inputs import (
    Basis,
    NetworkInputs,
    Pass1Inputs,
    Pass2Inputs,
    PruneInputs,
    StageInputs,
    stage_key,
)
from autohier.core.stages.result import StageKind, StageResult
from autohier.core.stages.running import StageContext
from autohier.settings.clips import FrameClips
from autohier.settings.parts import OptimisationSettings, ProtocolSettings

BASIS = Basis(
    data="d" * 64,
    protocol=ProtocolSettings(held_out=(9,)),
    clips=FrameClips(),
    network=NetworkInputs(
        name="inflated-resnet18",
        options={"width": 0.125, "initialisation": "fan-in", "in_channels": 3},
        weights_sha256=None,
        num_classes=4,
    ),
    numerics={"device": "cpu", "precision": "float32"},
    seed=0,
)
INPUTS: dict[StageKind, StageInputs] = {
    "pass-1": Pass1Inputs(basis=BASIS, optimisation=OptimisationSettings(), epochs=2),
    "pass-2": Pass2Inputs(
        basis=BASIS,
        optimisation=OptimisationSettings(),
        epochs=2,
        assignments=((0, 1, 0, 1), (0, 1, 2, 3)),
        weights=(1 / 3, 1.0),
        parent_key="1" * 64,
    ),
    "prune": PruneInputs(
        basis=BASIS,
        optimisation=OptimisationSettings(),
        epochs=1,
        norm="l2",
        floor=1,
        scope="by-layer",
        ratio=0.1,
        weights=(1 / 3, 1.0),
        parent_key="2" * 64,
    ),
}
"""One of each kind."""


@dataclass
class FakeStages:
    """Stands in for the three stages below ``run_trial``; what they were given is remembered."""

    chain: Sequence[float] = (0.5,) * 20
    """Validation accuracies of pass 2 and of each pruning pass."""
    confusion_KK: npt.NDArray[np.int64] = field(default_factory=lambda: 4 * np.eye(6, dtype=np.int64))
    """Of pass 1; where nothing is confused, the first superclasses that are tried are as good as any."""
    inputs: list[StageInputs] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("run_pass_1", "run_pass_2", "run_prune"):
            monkeypatch.setattr(f"autohier.core.trial.{name}", getattr(self, name))

    def run_pass_1(self, inputs: Pass1Inputs, context: StageContext) -> StageResult:  # noqa: ARG002
        return self._result("pass-1", inputs, 0, Hierarchy.flat(inputs.basis.network.num_classes), 0.4)

    def run_pass_2(self, inputs: Pass2Inputs, context: StageContext) -> StageResult:  # noqa: ARG002
        return self._result("pass-2", inputs, 0, Hierarchy(inputs.assignments), self.chain[0])

    def run_prune(
        self,
        inputs: PruneInputs,
        context: StageContext,  # noqa: ARG002
        *,
        parent: StageResult,
    ) -> StageResult:
        assert inputs.parent_key == parent.key
        assert len(inputs.weights) == len(parent.hierarchy.assignments)
        index = parent.pass_index + 1
        return self._result("prune", inputs, index, parent.hierarchy, self.chain[index])

    def _result(
        self, kind: StageKind, inputs: StageInputs, pass_index: int, hierarchy: Hierarchy, accuracy: float
    ) -> StageResult:
        self.inputs.append(inputs)
        return StageResult(
            kind=kind,
            key=stage_key(kind, inputs),
            parent_key=None,
            pass_index=pass_index,
            hierarchy=hierarchy,
            epochs=(),
            stack_accuracies=(accuracy,),
            confusion_KK=self.confusion_KK,
            cost=Cost(1, 1),
            seconds=0.0,
            reused=False,
        )


@dataclass
class Told:
    """A reporter that remembers all it was told, in order."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        self.events.append(("waits", kind, pass_index, holder))

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        self.events.append(("started", kind, pass_index, reused))

    def epoch_finished(self, kind: StageKind, pass_index: int, metrics: object, *, reused: bool) -> None:
        self.events.append(("epoch", kind, pass_index, metrics, reused))

    def stage_finished(self, result: StageResult) -> None:
        self.events.append(("finished", result.kind, result.pass_index, result))
