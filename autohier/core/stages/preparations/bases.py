"""Bases: networks of parts of a recognizer, each trained alone, and the recognizer that starts from them."""

from __future__ import annotations

from collections.abc import Mapping

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import AttentionInputs, JointInputs, StageInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.digest import derive_seed

Bases = Mapping[str, tuple[StageKind, str]]
"""Kind and key of the stage that trained a part of a recognizer, by the name of the part."""


def prepare_base(inputs: StageInputs, name: str, hierarchy: Hierarchy, context: StageContext) -> TrainingJob:
    """Build the network of a part with one head.

    Args:
        inputs: inputs of the stage.
        name: name of its kind.
        hierarchy: the level that the part is trained for.
        context: store, clips and device.
    """
    base = inputs.base
    return TrainingJob(
        network=context.build(base.network, hierarchy, seed=derive_seed(base.seed, name, "weights")),
        hierarchy=hierarchy,
        weights=(1.0,),
        optimisation=inputs.optimisation,
        epochs=inputs.epochs,
        rates=inputs.rates,
        seed=derive_seed(base.seed, name),
    )


def prepare_joint(inputs: JointInputs, bases: Bases, context: StageContext) -> TrainingJob:
    """Build the network of all pathways with a head per level, whose pathways are the bases.

    Raises:
        StageDamagedError: if the weights of a base are missing or damaged.
    """
    base, hierarchy = inputs.base, Hierarchy(inputs.assignments)
    network = context.build(base.network, hierarchy, seed=base.seed, heads=inputs.heads)
    for name, (kind, key) in bases.items():
        context.store.load_into(network.recognizer.get_submodule(name), kind, key, part="recognizer.")
    return TrainingJob(
        network=network,
        hierarchy=hierarchy,
        weights=inputs.weights,
        optimisation=inputs.optimisation,
        epochs=inputs.epochs,
        rates=inputs.rates,
        seed=derive_seed(base.seed, "joint"),
    )


def prepare_attention(inputs: AttentionInputs, bases: Bases, context: StageContext) -> TrainingJob:
    """Build the network of all members, which are the bases, with one head.

    Raises:
        StageDamagedError: if the weights of a base are missing or damaged.
    """
    base, hierarchy = inputs.base, Hierarchy.flat(inputs.base.network.num_classes)
    network = context.build(base.network, hierarchy, seed=base.seed)
    for name, (kind, key) in bases.items():
        member = network.recognizer.get_submodule(name)
        context.store.load_into(member, kind, key, part=f"recognizer.{name}.")
    return TrainingJob(
        network=network,
        hierarchy=hierarchy,
        weights=(1.0,),
        optimisation=inputs.optimisation,
        epochs=inputs.epochs,
        rates=inputs.rates,
        seed=derive_seed(base.seed, "attention"),
    )
