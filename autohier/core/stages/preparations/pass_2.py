"""Pass 2: train again with a weighted cross-entropy after every head (HAC section 3.3)."""

from __future__ import annotations

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import Pass2Inputs
from autohier.core.stages.kinds.base import StageKind
from autohier.digest import derive_seed


def prepare_pass_2(inputs: Pass2Inputs, parent: StageKind, context: StageContext) -> TrainingJob:
    """Build the network with a head per level, from the parent's weights if the inputs name a parent.

    Args:
        inputs: inputs of the stage.
        parent: kind of the stage that ``inputs.parent_key`` names.
        context: store, clips and device.

    Raises:
        StageDamagedError: if the parent's weights are missing or damaged.
    """
    base = inputs.base
    hierarchy = Hierarchy(inputs.assignments)
    network = context.build(base.network, hierarchy, seed=base.seed, heads=inputs.heads)
    if inputs.parent_key is not None:
        # Heads of superclasses are new; everything else continues from pass 1.
        context.store.load_into(network, parent, inputs.parent_key, but="heads.")
    return TrainingJob(
        network=network,
        hierarchy=hierarchy,
        weights=inputs.weights,
        optimisation=inputs.optimisation,
        epochs=inputs.epochs,
        rates=inputs.rates,
        seed=derive_seed(base.seed, "pass-2"),
    )
