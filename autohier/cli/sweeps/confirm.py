"""``autohier confirm SWEEP``: train a sweep's best trials and controls again with fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import GivenData, GivenOut, GivenWeights, Parallel, RayAddress, SweepName

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.sweep.api import SweepResult


def confirm(
    sweep: SweepName,
    top: Annotated[int, typer.Option(metavar="N", min=2, help="Number of trials, the best ones.")] = 4,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Number of fresh seeds of each.")] = 2,
    data: GivenData = None,
    out: GivenOut = None,
    pretrained: GivenWeights = None,
    parallel: Parallel = None,
    ray_address: RayAddress = None,
) -> None:
    """Train a sweep's best trials, and a control, again with fresh seeds.

    The first initial config is always among them. An unfinished search is finished first. The winner, as the
    sweep's --decide finds it, is refit and tested. What is trained already is reused, so the same command
    continues an interrupted confirmation.
    """
    from autohier.cli.sweeps.run_sweep import run_and_report

    def run(console: Console) -> SweepResult:
        from autohier.sweep.api import resume_sweep

        return resume_sweep(
            sweep,
            confirm=f"{top}x{seeds}",
            out=out,
            data=data,
            pretrained=pretrained,
            parallel=parallel,
            ray_address=ray_address,
            console=console,
        )

    run_and_report(run)
