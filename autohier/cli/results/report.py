"""``autohier report SWEEP``: write the page of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_OUT, GivenData, SweepName
from autohier.cli.results.sweep_pages import NUM_HARD_CLIPS


def report(
    sweep: SweepName,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Page to write; by default report.html in the sweep's folder."
        ),
    ] = None,
    clips: Annotated[
        int, typer.Option(metavar="N", min=0, help="Maximum number of hard clips that the page shows.")
    ] = NUM_HARD_CLIPS,
    predict: Annotated[
        bool,
        typer.Option(
            "--predict",
            help="Find hard clips with the best trial's network if the sweep has no confirmation; takes one "
            "evaluation of the validation clips.",
        ),
    ] = False,
    gradients: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Number of validation clips for gradient maps of the best trial; see autohier figures. 0 "
            "draws none.",
        ),
    ] = 0,
    sweeps: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the sweeps and of their stage store.")
    ] = DEFAULT_OUT,
    data: GivenData = None,
) -> None:
    """Write a sweep, running or not, as one HTML page that needs no network.

    It shows the result, the leaderboard, the search and what it found: charts, superclasses, confusions, hard
    clips, an ablation and the provenance. The page holds pictures of clips; leave them out with --clips 0.
    """
    from autohier.cli.results.sweep_pages import write_page
    from autohier.sweep.paths import find_sweep

    folder = find_sweep(sweep, sweeps)
    page = write_page(
        folder, file=out, data=data, num_hard_clips=clips, predict=predict, num_gradient_clips=gradients
    )
    echo(str(page))
