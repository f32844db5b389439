"""``autohier resume SWEEP``: run what a sweep has left, or more."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder, SweepName


def resume(
    sweep: SweepName,
    trials: Annotated[int | None, typer.Option(min=1, help="The new total number of settings.")] = None,
    out: OutFolder = DEFAULT_OUT,
) -> None:
    """Continue a sweep after any interruption, or extend a finished one."""
    from autohier.cli.driving import drive_and_tell
    from autohier.errors import InputError
    from autohier.sweep.folder import find_sweep

    folder = find_sweep(sweep, out)
    plan, provenance = folder.read_plan()
    if trials is not None and trials != plan.trials:
        if trials < plan.trials:
            raise InputError(
                f"--trials is the new total and cannot be below the old one, {plan.trials}",
                got=trials,
                remedy="leave it out to finish the sweep as it is",
            )
        plan = plan.model_copy(update={"trials": trials})
        folder.write_plan(plan, provenance)
    drive_and_tell(folder, plan)
