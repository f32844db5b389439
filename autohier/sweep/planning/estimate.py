"""Estimating the cost of a sweep by simulating it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from autohier.config.scaling import Scaling
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.recipes.check import check_recipe
from autohier.core.stages.checks.memory import require_memory
from autohier.errors import InputError, error_about
from autohier.machine import machine_share
from autohier.sweep.planning.budgets import compare_budgets
from autohier.sweep.planning.epoch_costs import (
    Say,
    SweepClips,
    find_clips,
    measure_epoch_costs,
    stage_bytes,
)
from autohier.sweep.planning.simulation.regimes import nearest_regime, pass_1_of
from autohier.sweep.planning.simulation.results import Costs, EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import surrogate_of
from autohier.sweep.planning.summary import SweepEstimate

_BYTES_PER_WEIGHT = 4
_NUM_SWEEPS = 5


def estimate_sweep(
    plan: SweepPlan,
    *,
    accelerators: int,
    seconds_per_epoch: float | None,
    say: Say,
    scaling: Scaling | None = None,
) -> SweepEstimate:
    """Simulate sweeps of one plan with different seeds.

    Args:
        plan: of the sweep.
        accelerators: number of accelerators; each runs one trial at a time.
        seconds_per_epoch: cost of an epoch of any stage; None measures it on this machine.
        scaling: of data-parallel stages; None has a trial hold one accelerator.
        say: called with a line about each step; all steps may take a minute.

    Raises:
        MissingDataError: if the clips are not prepared and their number is not published.
        InputError: if search space and clips do not fit together, the recognizer cannot be
            built, the recipe breaks its contract, or a budget of hours is never used up.
    """
    if seconds_per_epoch == 0 and plan.budget_hours and not plan.budget_epochs:
        raise InputError(
            "epochs must take time to use up --budget-hours",
            got="--seconds-per-epoch 0",
            hint="give the seconds of an epoch, or --budget-epochs",
        )
    check_recipe(plan.space.config(FLAT_PARAMS, seed=plan.seed))
    clips = find_clips(plan.space, Path(plan.data_folder))
    space = plan.space.model_copy(update={"protocol": clips.protocol})
    plan = plan.model_copy(update={"space": space})
    variants = {flat.variant: space.apply(flat) for flat in space.flat_params()}
    num_bytes = 0
    for name, variant in variants.items():
        with error_about(name and f"variant {name}"):  # report an unknown recognizer before measuring
            num_bytes = max(num_bytes, stage_bytes(variant, clips))
    if seconds_per_epoch is None:
        hint = "reduce recognizer.width, or give the time of an epoch with --seconds-per-epoch"
        require_memory(num_bytes // _BYTES_PER_WEIGHT, 0, machine_share().memory_bytes, hint=hint)
    costs, costs_from = _costs(variants, clips, seconds_per_epoch, say)
    sweeps = []
    for number in range(_NUM_SWEEPS):
        say(f"simulating sweep {number + 1} of {_NUM_SWEEPS}")
        seeded = plan.model_copy(update={"seed": plan.seed + number})
        surrogate = surrogate_of(space, clips.sizes.validation, seeded.seed)
        sweeps.append(simulate(seeded, surrogate, costs, parallel=accelerators, scaling=scaling))
    num_clips = clips.sizes.validation
    more = compare_budgets(plan, num_clips, costs, accelerators, say, scaling) if plan.has_budget else None
    return SweepEstimate(
        plan=plan,
        accelerators=accelerators,
        sizes=clips.sizes,
        sizes_from=clips.origin,
        costs=costs,
        costs_from=costs_from,
        regime=nearest_regime(clips.sizes.validation, pass_1_of(space)[0]),
        stage_bytes=num_bytes,
        sweeps=tuple(sweeps),
        scaling=scaling,
        more=more,
    )


def _costs(
    variants: Mapping[str, SearchSpace], clips: SweepClips, seconds_per_epoch: float | None, say: Say
) -> tuple[Costs, str | Mapping[str, str]]:
    """Return the costs of epochs and their origin in words; both by name if there are several variants."""
    if seconds_per_epoch is not None:
        return EpochCosts(seconds_per_epoch, seconds_per_epoch, seconds_per_epoch), "given"
    if len(variants) == 1:
        (only,) = variants.values()
        return measure_epoch_costs(only, clips, say)
    costs, origins = {}, {}
    for name, variant in variants.items():
        costs[name], origins[name] = measure_epoch_costs(variant, clips, partial(_say_for, name, say))
    return costs, origins


def _say_for(variant: str, say: Say, text: str) -> None:
    say(f"{variant}: {text}")
