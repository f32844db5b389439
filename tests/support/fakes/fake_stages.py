"""Stages that train nothing: inputs, keys and tensors are real, measurements are fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from autohier.config.trial.clips import FrameClips
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.training import OptimisationSettings
from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import Cost
from autohier.core.recipes.base import StageRequest, run_recipe
from autohier.core.recipes.chain import by_stop_rule, open_recipe
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.inputs import (
    BaseInputs,
    NetworkInputs,
    Pass1Inputs,
    Pass2Inputs,
    PruneInputs,
    StageInputs,
)
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.stage_key import stage_key
from autohier.core.trial import TrialOutcome, finish

BASE = BaseInputs(
    data="d" * 64,
    protocol=ProtocolSettings(validation="clean", held_out=(9,)),
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
INPUTS: dict[str, StageInputs] = {
    "pass-1": Pass1Inputs(base=BASE, optimisation=OptimisationSettings(), epochs=2),
    "pass-2": Pass2Inputs(
        base=BASE,
        optimisation=OptimisationSettings(),
        epochs=2,
        assignments=((0, 1, 0, 1), (0, 1, 2, 3)),
        weights=(1 / 3, 1.0),
        parent_key="1" * 64,
    ),
    "prune": PruneInputs(
        base=BASE,
        optimisation=OptimisationSettings(),
        epochs=1,
        norm="l2",
        floor=1,
        scope="layerwise",
        ratio=0.1,
        weights=(1 / 3, 1.0),
        parent_key="2" * 64,
    ),
}
"""Inputs of one stage of each kind of HAC's recipe, by the name of the kind."""


def inputs_of(
    kind: StageKind, pass_index: int, parent_key: str | None, hierarchy: Hierarchy, variant: object
) -> StageInputs:
    """Return inputs of a stage with this parent and this hierarchy; the variant changes its key."""
    network = BASE.network.model_copy(update={"num_classes": hierarchy.num_classes})
    numerics = BASE.numerics | {"variant": f"{pass_index} {variant}"}
    base = BASE.model_copy(update={"network": network, "numerics": numerics})
    changes: dict[str, object] = {"base": base, "parent_key": parent_key}
    if kind.name == "pass-2":
        changes["assignments"] = hierarchy.assignments
    return INPUTS[kind.name].model_copy(update=changes)


@dataclass
class FakeRunner:
    """Answers the stage requests of a trial without training, and keeps the inputs of each stage."""

    chain: Sequence[float] = (0.5,) * 20
    """Validation accuracies of pass 2 and of each pruning pass."""
    confusion_KK: npt.NDArray[np.int64] = field(default_factory=lambda: 4 * np.eye(6, dtype=np.int64))
    """Confusion of every stage. Without confused classes, the first superclasses tried are as good as any."""
    inputs: list[StageInputs] = field(default_factory=list)

    def run_trial(self, trial: TrialSetup) -> TrialOutcome:
        """Run the recipe of a trial."""

        def run(request: StageRequest[StageResult]) -> StageResult:
            return self(request, trial)

        config = trial.config
        return finish(config, run_recipe(open_recipe(config, by_stop_rule(config)), run))

    def __call__(self, request: StageRequest[StageResult], trial: TrialSetup) -> StageResult:
        """Return a result with the inputs that a real stage would have."""
        kind = request.kind
        hierarchy = kind.hierarchy(trial.config, request.ancestors, trial.given_superclasses())
        inputs = kind.plan(trial.config, trial.of_kind(kind).base, request.ancestors, hierarchy, ()).inputs
        self.inputs.append(inputs)
        accuracy = 0.4 if kind.is_flat else self.chain[request.pass_index]
        return StageResult(
            kind=kind,
            key=stage_key(kind, inputs),
            parent_key=inputs.parent_key,
            parent_keys=inputs.parent_keys,
            pass_index=request.pass_index,
            hierarchy=hierarchy,
            epochs=(),
            stack_accuracies=(accuracy,),
            confusion_KK=self.confusion_KK,
            cost=Cost(1, 1),
            seconds=0.0,
            reused=False,
        )


@dataclass
class RecordingCallback(TrialCallback):
    """Records all calls in order, kinds by their names."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        self.events.append(("waits", kind.name, pass_index, holder))

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        self.events.append(("started", kind.name, pass_index, reused))

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: object, *, reused: bool) -> None:
        self.events.append(("epoch", kind.name, pass_index, metrics, reused))

    def on_stage_end(self, result: StageResult) -> None:
        self.events.append(("finished", result.kind.name, result.pass_index, result))
