"""Pass 2: train again with a weighted cross-entropy after every headed stack (HAC section 3.3)."""

from __future__ import annotations

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.inputs import Pass2Inputs
from autohier.core.stages.result import StageResult
from autohier.core.stages.running import Lesson, StageContext, run_stage
from autohier.digest import derive_seed


def run_pass_2(inputs: Pass2Inputs, context: StageContext) -> StageResult:
    """Train with superclasses, from pass 1's weights or from the initial ones."""
    basis = inputs.basis
    hierarchy = Hierarchy(inputs.assignments)

    def prepare() -> Lesson:
        network = context.build(basis.network, hierarchy, seed=basis.seed)
        if inputs.parent_key is not None:
            # The heads of the superclasses are new; all else continues from pass 1.
            context.store.load_into(network, "pass-1", inputs.parent_key, but="heads.")
        return Lesson(
            network=network,
            hierarchy=hierarchy,
            weights=inputs.weights,
            optimisation=inputs.optimisation,
            epochs=inputs.epochs,
            rates=inputs.rates,
            seed=derive_seed(basis.seed, "pass-2"),
        )

    return run_stage("pass-2", inputs, context, prepare, parent_key=inputs.parent_key)
