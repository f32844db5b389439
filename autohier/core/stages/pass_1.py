"""Pass 1: train the recognizer with cross-entropy after its last stack only (HAC section 3.3)."""

from __future__ import annotations

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.inputs import Pass1Inputs
from autohier.core.stages.result import StageResult
from autohier.core.stages.running import Lesson, StageContext, run_stage
from autohier.digest import derive_seed


def run_pass_1(inputs: Pass1Inputs, context: StageContext) -> StageResult:
    """Train flat; its validation confusion matrix is what superclasses are made from."""
    basis = inputs.basis
    hierarchy = Hierarchy.flat(basis.network.num_classes)

    def prepare() -> Lesson:
        return Lesson(
            network=context.build(basis.network, hierarchy, seed=basis.seed),
            hierarchy=hierarchy,
            weights=(1.0,),
            optimisation=inputs.optimisation,
            epochs=inputs.epochs,
            rates=inputs.rates,
            seed=derive_seed(basis.seed, "pass-1"),
        )

    return run_stage("pass-1", inputs, context, prepare)
