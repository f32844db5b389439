"""Planning: what a sweep will cost, before it is paid."""

from __future__ import annotations

from pathlib import Path

from autohier.settings.sweep import SweepPlan
from autohier.sweep.forecast import Forecast
from autohier.sweep.pricing import Say, find_clips, measure_costs, stage_bytes
from autohier.sweep.simulation import EpochCosts, simulate
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
    num_bytes = stage_bytes(space, clips)  # an unknown recognizer is told of first
    if seconds_per_epoch is None:
        costs, costs_from = measure_costs(space, clips, say)
    else:
        costs, costs_from = EpochCosts(*[seconds_per_epoch] * 3), "given"
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
