"""Planning: what a sweep will cost, before it is paid."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from autohier.errors import told_of
from autohier.settings.space import Space
from autohier.settings.sweep import SweepPlan
from autohier.sweep.forecast import Forecast
from autohier.sweep.pricing import Say, SweepClips, find_clips, measure_costs, stage_bytes
from autohier.sweep.simulation import Costs, EpochCosts, simulate
from autohier.sweep.standin import StandIn

_NUM_SWEEPS = 5


def forecast(plan: SweepPlan, *, accelerators: int, seconds_per_epoch: float | None, say: Say) -> Forecast:
    """Simulate sweeps of one plan with different seeds.

    Args:
        plan: what would be run.
        accelerators: how many there are; each holds one trial at a time.
        seconds_per_epoch: what an epoch of any stage costs; None measures it on this machine.
        say: told what goes on; the whole may take a minute.

    Raises:
        MissingDataError: where clips are neither prepared nor their number published.
        InputError: where space and clips do not fit together, or there is no such recognizer.
    """
    space = plan.space
    clips = find_clips(space, Path(plan.data_folder))
    variants = {flat.variant: space.varied(flat) for flat in space.flat_choices()}
    num_bytes = 0
    for name, variant in variants.items():
        with told_of(name and f"variant {name}"):  # an unknown recognizer is told of first
            num_bytes = max(num_bytes, stage_bytes(variant, clips))
    costs, costs_from = _costs(variants, clips, seconds_per_epoch, say)
    stand_in = StandIn.of_space(space, clips.sizes.validation)
    sweeps = []
    for number in range(_NUM_SWEEPS):
        say(f"simulating sweep {number + 1} of {_NUM_SWEEPS}")
        seeded = plan.model_copy(update={"seed": plan.seed + number})
        sweeps.append(simulate(seeded, stand_in, costs, parallel=accelerators))
    return Forecast(
        plan=plan,
        accelerators=accelerators,
        sizes=clips.sizes,
        sizes_from=clips.origin,
        costs=costs,
        costs_from=costs_from,
        stand_in=stand_in,
        stage_bytes=num_bytes,
        sweeps=tuple(sweeps),
    )


def _costs(
    variants: Mapping[str, Space], clips: SweepClips, seconds_per_epoch: float | None, say: Say
) -> tuple[Costs, str | Mapping[str, str]]:
    """What epochs cost and how that was found, in words; of several variants both by their names."""
    if seconds_per_epoch is not None:
        return EpochCosts(*[seconds_per_epoch] * 3), "given"
    if len(variants) == 1:
        (only,) = variants.values()
        return measure_costs(only, clips, say)
    costs, origins = {}, {}
    for name, variant in variants.items():
        costs[name], origins[name] = measure_costs(variant, clips, partial(_say_of, name, say))
    return costs, origins


def _say_of(variant: str, say: Say, text: str) -> None:
    say(f"{variant}: {text}")
