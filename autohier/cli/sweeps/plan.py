"""``autohier plan SPACE``: estimate what a sweep will cost."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_DATA, DataFolder, Overrides, Sampler, SchedulerName, SpaceName


def plan(
    space: SpaceName,
    trials: Annotated[int, typer.Option(metavar="N", min=1, help="Number of trials in the sweep.")] = 32,
    accelerators: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of accelerators; a trial holds one.")
    ] = 1,
    seconds_per_epoch: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            help="Seconds per epoch with validation, in any stage; by default measured on this machine.",
        ),
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    sampler: Sampler = "tpe",
    scheduler: SchedulerName = "successive-halving",
    overrides: Overrides = None,
) -> None:
    """Estimate the cost of a sweep by simulating it; writes nothing."""
    from autohier.config.frozen import validate
    from autohier.config.search.loading import load_space
    from autohier.config.sweep import SweepPlan
    from autohier.sweep.planning.estimate import estimate_sweep

    values = {
        "name": "plan",
        "study_name": "plan",
        "space": load_space(space, overrides or ()),
        "trials": trials,
        "sampler": sampler,
        "scheduler": scheduler,
        "data_folder": str(data),
        "stage_folder": "",
    }
    planned = validate(SweepPlan, values, origin="plan")
    expected = estimate_sweep(
        planned,
        accelerators=accelerators,
        seconds_per_epoch=seconds_per_epoch,
        say=lambda text: echo(f"{text} ...", err=True),
    )
    echo(expected.text())
