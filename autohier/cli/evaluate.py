"""``autohier evaluate MODEL``: what a fusion or a finished trial scores on one split."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, DeviceName, NumThreads, OutFolder


class SplitName(StrEnum):
    """Parts of the data that are read."""

    test = "test"
    validation = "validation"


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A fusion, by name or folder; SWEEP; or SWEEP:TRIAL.")
    ],
    split: Annotated[SplitName, typer.Option(help="What is read.")] = SplitName.test,
    *,
    refit: Annotated[
        bool | None,
        typer.Option(
            "--refit/--no-refit",
            help="Train on all training clips first, unless that is done; by default where any validated.",
        ),
    ] = None,
    out: OutFolder = DEFAULT_OUT,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Tell a model's accuracy; readings of the test split are kept, for they are to be few."""
    from autohier.cli.computing import member_opener
    from autohier.cli.driving import open_console
    from autohier.reports.fusion import earlier_text, fusion_report
    from autohier.sweep.evaluating import evaluate_model, find_model, keep_readings
    from autohier.sweep.members import class_names

    found = find_model(model, out)
    refitted = found.refits(split.value, refit)
    console = open_console()
    opened = member_opener(console, device, threads)
    fused = evaluate_model(found, split.value, refitted=refitted, opened=opened, say=console.print)
    names = [member.name for member in found.members]
    title = f"{model} on {split.value} clips{', refit on all training clips' if refitted else ''}"
    console.print(fusion_report(fused, names, class_names(found.members[0]), title=title))
    earlier = keep_readings(found, fused, refitted=refitted) if split is SplitName.test else ()
    if earlier:
        console.print(earlier_text(earlier))
