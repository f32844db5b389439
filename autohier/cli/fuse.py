"""``autohier fuse TRIAL...``: average what several finished trials take clips for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, DeviceName, NumThreads, OutFolder

if TYPE_CHECKING:
    from autohier.sweep.fusing import Weights


def fuse(
    trials: Annotated[
        list[str],
        typer.Argument(
            metavar="TRIAL...",
            help="SWEEP, whose best trial is meant, SWEEP:VARIANT, SWEEP:each of its variants, SWEEP:TRIAL.",
        ),
    ],
    weights: Annotated[
        str,
        typer.Option(
            metavar="search|equal|W1,W2,...",
            help="Found on validation, equal, or a number for each trial.",
        ),
    ] = "search",
    name: Annotated[
        str | None, typer.Option(help="Name of the fusion, or its folder; the time by default.")
    ] = None,
    out: OutFolder = DEFAULT_OUT,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Fuse finished trials of other recognizers, streams or seeds: a weighted mean of their probabilities.

    What is kept are its members and their weights, for evaluate. Networks stay in the stage store.
    """
    from autohier.cli.computing import member_opener
    from autohier.cli.driving import open_console, time_name
    from autohier.reports.fusion import fusion_report
    from autohier.sweep import fusing
    from autohier.sweep.fusions import free_fusion, unguarded
    from autohier.sweep.members import class_names, find_members

    wanted = _weights(weights)
    folder = free_fusion(name or time_name("fusion"), out)
    console = open_console()
    members = [member for trial in trials for member in find_members(trial, out, console.print)]
    opened = member_opener(console, device, threads)
    fusion, fused = fusing.fuse(members, wanted, opened, console.print)
    folder.write(fusion)
    names = [member.name for member in members]
    title = f"{folder.path.name} on validation clips"
    console.print(fusion_report(fused, names, class_names(members[0]), title=title))
    if wanted == "search":
        console.print("weights were found on these clips, on which the members were chosen too")
    for member in unguarded(folder, members, out):
        console.print(f"'store collect' may remove what {member.name} needs, as not all of it lies in {out}")
    console.print(f"evaluate: autohier evaluate {folder.path}", soft_wrap=True)


def _weights(text: str) -> Weights:
    from autohier.errors import InputError

    named: dict[str, Weights] = {"search": "search", "equal": "equal"}
    if text in named:
        return named[text]
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            "--weights takes search, equal or numbers", got=text, remedy="write e.g. --weights 2,1"
        ) from error
