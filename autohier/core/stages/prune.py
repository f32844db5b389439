"""A pruning pass: zero the weakest filters, retrain with inherited weights (HAC section 3.4)."""

from __future__ import annotations

from functools import partial

from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.inputs import PruneInputs
from autohier.core.stages.result import StageResult
from autohier.core.stages.running import Lesson, StageContext, run_stage
from autohier.digest import derive_seed

_MASK = "alive."
"""Prefix of the masks among a pruned stage's tensors."""


def run_prune(inputs: PruneInputs, context: StageContext, *, parent: StageResult) -> StageResult:
    """Prune what is left of the parent's filters and retrain.

    Args:
        inputs: what the pass depends on.
        context: what it works with.
        parent: pass 2, or the pruning pass before this one; named by ``inputs.parent_key``.
    """
    pass_index = parent.pass_index + 1

    def prepare() -> Lesson:
        network = context.build(inputs.basis.network, parent.hierarchy, seed=inputs.basis.seed)
        filters = network.recognizer.prunable_filters()
        tensors = context.store.load_into(network, parent.kind, parent.key)
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
        return Lesson(
            network=network,
            hierarchy=parent.hierarchy,
            weights=inputs.weights,
            optimisation=inputs.optimisation,
            epochs=inputs.epochs,
            rates=inputs.rates,
            seed=derive_seed(inputs.basis.seed, "prune", pass_index),
            after_step=partial(masks.apply, filters),
            extra_tensors={_MASK + name: mask_F for name, mask_F in masks.to_state().items()},
        )

    return run_stage("prune", inputs, context, prepare, parent_key=inputs.parent_key, pass_index=pass_index)
