"""Pruning pass: zero the weakest filters, retrain with inherited weights (HAC section 3.4)."""

from __future__ import annotations

from functools import partial

from autohier.config.trial.training import HeadPlacement
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import PruneInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.digest import derive_seed

_MASK = "alive."
"""Prefix of the masks among a pruned stage's tensors."""


def prepare_prune(
    inputs: PruneInputs,
    parent: StageKind,
    hierarchy: Hierarchy,
    pass_index: int,
    context: StageContext,
    *,
    heads: HeadPlacement = "stacks",
) -> TrainingJob:
    """Prune a share of the filters that the parent left alive.

    Args:
        inputs: inputs of the stage.
        parent: kind of the stage that ``inputs.parent_key`` names.
        hierarchy: superclasses of the parent.
        pass_index: k for the k-th pruning pass.
        context: store, clips and device.
        heads: features that the parent's heads read.

    Raises:
        StageDamagedError: if the parent's weights are missing or damaged.
    """
    network = context.build(inputs.base.network, hierarchy, seed=inputs.base.seed, heads=heads)
    filters = network.recognizer.prunable_filters()
    tensors = context.store.load_into(network, parent, inputs.parent_key)
    alive = {name.removeprefix(_MASK): mask for name, mask in tensors.items() if name.startswith(_MASK)}
    masks = FilterMasks(
        choose_filters(
            filters,
            alive or FilterMasks.all_alive(filters).alive,
            ratio=inputs.ratio,
            scope=inputs.scope,
            norm=inputs.norm,
            floor=inputs.floor,
        )
    )
    masks.apply(filters)
    return TrainingJob(
        network=network,
        hierarchy=hierarchy,
        weights=inputs.weights,
        optimisation=inputs.optimisation,
        epochs=inputs.epochs,
        rates=inputs.rates,
        seed=derive_seed(inputs.base.seed, "prune", pass_index),
        after_step=partial(masks.apply, filters),
        extra_tensors={_MASK + name: mask_F for name, mask_F in masks.to_state().items()},
    )
