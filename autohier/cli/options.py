"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SpaceName = Annotated[
    str, typer.Argument(metavar="SPACE", help="A shipped space (autohier spaces) or a TOML file.")
]
SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep's name, or its folder.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Where prepared datasets lie.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Where sweeps and finished stages lie.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the space, e.g. pass_1.epochs=5."),
]
DeviceName = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
NumThreads = Annotated[int | None, typer.Option(min=1, help="All cores by default.")]
PresentModality = Annotated[
    str | None,
    typer.Option(help="rgb, depth or skeleton; by default the dataset's own, or the one that is there."),
]
Sampler = Annotated[str, typer.Option(help="tpe, gp or random.")]
Stopping = Annotated[str, typer.Option(help="halving stops weak trials at rungs; none lets all go on.")]

FAILURES_IN_A_ROW = "Failures of one kind in a row that stop the sweep."

DEFAULT_DATA = Path("data")
DEFAULT_OUT = Path("sweeps")
