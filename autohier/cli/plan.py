"""``autohier plan SPACE``: what a sweep will cost, before it is paid."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_DATA, DataFolder, Overrides, Sampler, SpaceName, Stopping


def plan(
    space: SpaceName,
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = 32,
    accelerators: Annotated[int, typer.Option(min=1, help="How many there are; a trial holds one.")] = 1,
    seconds_per_epoch: Annotated[
        float | None,
        typer.Option(min=0, help="Of any stage, validated; measured on this machine by default."),
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    sampler: Sampler = "tpe",
    stopping: Stopping = "halving",
    overrides: Overrides = None,
) -> None:
    """Tell what a sweep will cost; nothing is trained to its end, and nothing is written."""
    from autohier.settings.frozen import validate
    from autohier.settings.loading import load_space
    from autohier.settings.sweep import SweepPlan
    from autohier.sweep.planning import forecast

    values = {
        "name": "plan",
        "study_name": "plan",
        "space": load_space(space, overrides or ()),
        "trials": trials,
        "sampler": sampler,
        "stopping": stopping,
        "data_folder": str(data),
        "stage_folder": "",
    }
    planned = validate(SweepPlan, values, origin="plan")
    expected = forecast(
        planned,
        accelerators=accelerators,
        seconds_per_epoch=seconds_per_epoch,
        say=lambda text: typer.echo(f"{text} ...", err=True),
    )
    typer.echo(expected.text())
