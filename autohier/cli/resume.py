"""``autohier resume SWEEP``: run what a sweep has left, or more."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, FAILURES_IN_A_ROW, OutFolder, SweepName


def resume(
    sweep: SweepName,
    trials: Annotated[int | None, typer.Option(min=1, help="The new total number of settings.")] = None,
    out: OutFolder = DEFAULT_OUT,
    parallel: Annotated[int | None, typer.Option(min=1, help="Trials at a time from now on.")] = None,
    cpus_per_trial: Annotated[
        float | None, typer.Option(help="Processor cores of a trial from now on.")
    ] = None,
    gpus_per_trial: Annotated[float | None, typer.Option(help="Share of a GPU from now on.")] = None,
    failures_in_a_row: Annotated[int | None, typer.Option(min=1, help=FAILURES_IN_A_ROW)] = None,
    ray_address: Annotated[str | None, typer.Option(help="Where the cluster is now.")] = None,
) -> None:
    """Continue a sweep after any interruption, or extend a finished one."""
    from autohier.cli.driving import drive_and_tell
    from autohier.errors import InputError
    from autohier.settings.frozen import validate
    from autohier.settings.sweep import SweepPlan
    from autohier.sweep.driver import check_plan
    from autohier.sweep.folder import find_sweep
    from autohier.sweep.lock import hold_sweep

    folder = find_sweep(sweep, out)
    plan, provenance = folder.read_plan()
    if trials is not None and trials < plan.trials:
        raise InputError(
            f"--trials is the new total and cannot be below the old one, {plan.trials}",
            got=trials,
            remedy="leave it out to finish the sweep as it is",
        )
    changes = {
        "trials": trials,
        "parallel": parallel,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "failures_in_a_row": failures_in_a_row,
        "ray_address": ray_address,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    changed = check_plan(validate(SweepPlan, plan.model_dump() | given, origin="resume"))
    with hold_sweep(folder.lock_file):
        folder.write_plan(changed, provenance)
    drive_and_tell(folder, changed)
