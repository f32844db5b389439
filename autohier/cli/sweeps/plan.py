"""``autohier plan SPACE``: estimate what a sweep will cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import (
    DEFAULT_DATA,
    BudgetEpochs,
    BudgetHours,
    ConfirmOption,
    DataFolder,
    MaxMultiplyAdds,
    Objectives,
    Overrides,
    Sampler,
    ScalingOption,
    SchedulerName,
    SpaceName,
    with_aims,
)
from autohier.errors import InputError

if TYPE_CHECKING:
    from autohier.config.scaling import Scaling

_COSTS_NOTE = (
    "Multiply-adds are simulated: they fall with the square of the filters that are left, and all unpruned "
    "networks have the same."
)


def plan(
    space: SpaceName,
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Number of trials; by default 32, or without limit if there is a budget.",
        ),
    ] = None,
    budget_epochs: BudgetEpochs = None,
    budget_hours: BudgetHours = None,
    accelerators: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Number of accelerators; without --scaling a trial holds one."),
    ] = 1,
    seconds_per_epoch: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            help="Seconds per epoch with validation, in any stage; by default measured on this machine.",
        ),
    ] = None,
    scaling: ScalingOption = None,
    data: DataFolder = DEFAULT_DATA,
    sampler: Sampler = "tpe",
    scheduler: SchedulerName = "successive-halving",
    confirm: ConfirmOption = "auto",
    objectives: Objectives = None,
    max_multiply_adds: MaxMultiplyAdds = None,
    overrides: Overrides = None,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
) -> None:
    """Estimate the cost of a sweep by simulating it; writes nothing.

    With a budget, it also says what twice the budget would buy, which takes half a minute longer.
    """
    from autohier.config.frozen import validate
    from autohier.config.search.loading import load_space
    from autohier.config.sweep import SweepPlan, default_trials
    from autohier.sweep.planning.estimate import estimate_sweep
    from autohier.sweep.planning.summary import PlannedQuantity

    is_machine_readable = is_for_programs(as_json=as_json, as_csv=as_csv)
    values = {
        "name": "plan",
        "study_name": "plan",
        "space": load_space(
            space, with_aims(overrides, objectives=objectives, max_multiply_adds=max_multiply_adds)
        ),
        "trials": trials or default_trials(budget_epochs, budget_hours),
        "budget_epochs": budget_epochs,
        "budget_hours": budget_hours,
        "confirm": confirm,
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
        scaling=_given_scaling(scaling),
        say=lambda text: echo(f"{text} ...", err=True),
    )
    if is_machine_readable:
        rows = expected.rows()
        about = {"space": planned.space.name, "accelerators": accelerators, "sizes": expected.sizes}
        print_rows({**about, "quantities": rows}, PlannedQuantity, rows, as_json=as_json)
    else:
        echo(expected.text())
    search = planned.space.search
    if search.second_objective is not None:
        echo(_COSTS_NOTE, err=is_machine_readable)
    if search.max_multiply_adds is not None:
        note = "The bound on multiply-adds is not simulated: the estimate is that of a sweep without it."
        echo(note, err=is_machine_readable)


def _given_scaling(text: str | None) -> Scaling | None:
    from autohier.config.scaling import MEASURE, parse_scaling

    if text == MEASURE:
        raise InputError(
            "plan computes on one machine, so it cannot measure the scaling of several accelerators",
            got=f"--scaling {text}",
            hint="write --scaling 8:0.8, or the value that 'autohier search --scaling measure' printed",
        )
    return parse_scaling(text) if text else None
