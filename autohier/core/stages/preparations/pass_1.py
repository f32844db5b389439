"""Pass 1: train the recognizer with cross-entropy after its last stack only (HAC section 3.3)."""

from __future__ import annotations

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import Pass1Inputs
from autohier.digest import derive_seed


def prepare_pass_1(inputs: Pass1Inputs, context: StageContext) -> TrainingJob:
    """Build the flat network, whose validation confusion matrix later defines the superclasses."""
    base = inputs.base
    hierarchy = Hierarchy.flat(base.network.num_classes)
    return TrainingJob(
        network=context.build(base.network, hierarchy, seed=base.seed),
        hierarchy=hierarchy,
        weights=(1.0,),
        optimisation=inputs.optimisation,
        epochs=inputs.epochs,
        rates=inputs.rates,
        seed=derive_seed(base.seed, "pass-1"),
    )
