"""``autohier resume SWEEP``: run the rest of a sweep, or extend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import (
    FAILURES_IN_A_ROW,
    REFITS,
    SEARCH,
    BudgetEpochs,
    BudgetHours,
    CpusPerTrial,
    GivenData,
    GivenOut,
    GivenWeights,
    GpusPerTrial,
    LocalClips,
    Parallel,
    RayAddress,
    ScalingOption,
    SweepName,
)

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.sweep.api import SweepResult


def resume(
    sweep: SweepName,
    trials: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=SEARCH,
            metavar="N",
            min=1,
            help="New total number of trials, including finished ones.",
        ),
    ] = None,
    data: GivenData = None,
    out: GivenOut = None,
    pretrained: GivenWeights = None,
    parallel: Parallel = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    scaling: ScalingOption = None,
    failures_in_a_row: Annotated[int | None, FAILURES_IN_A_ROW] = None,
    local_clips: LocalClips = None,
    ray_address: RayAddress = None,
    refits: Annotated[int | None, REFITS] = None,
    budget_epochs: BudgetEpochs = None,
    budget_hours: BudgetHours = None,
) -> None:
    """Continue an interrupted sweep, or extend a finished one.

    Options that are not given keep the values that the sweep has.
    """
    from autohier.cli.sweeps.run_sweep import run_and_report

    def run(console: Console) -> SweepResult:
        from autohier.sweep.api import resume_sweep

        return resume_sweep(
            sweep,
            trials=trials,
            out=out,
            data=data,
            pretrained=pretrained,
            parallel=parallel,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            scaling=scaling,
            failures_in_a_row=failures_in_a_row,
            local_clips=local_clips,
            ray_address=ray_address,
            refits=refits,
            budget_epochs=budget_epochs,
            budget_hours=budget_hours,
            console=console,
        )

    run_and_report(run)
