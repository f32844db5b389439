"""``autohier fuse TRIAL...``: late fusion of finished trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, DeviceName, GivenData, GivenOut, GivenWeights, NumThreads

if TYPE_CHECKING:
    from autohier.fusion.fit import Weights


def fuse(
    trials: Annotated[
        list[str],
        typer.Argument(
            metavar="TRIAL...",
            help="Members: SWEEP (its best trial), SWEEP:VARIANT (best of the variant), SWEEP:each (best of "
            "each variant), SWEEP:TRIAL or SWEEP:TRIAL@PASS (e.g. @prune-1).",
        ),
    ],
    weights: Annotated[
        str,
        typer.Option(
            metavar="search|equal|W1,W2,...",
            help="Fusion weights: search fits them to the validation clips.",
        ),
    ] = "search",
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name or folder of the fusion; by default derived from the time."),
    ] = None,
    data: GivenData = None,
    out: GivenOut = None,
    pretrained: GivenWeights = None,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Fuse finished trials: a weighted mean of their class probabilities (late fusion).

    The fusion stores its members and weights, for autohier evaluate. Networks stay in the stage store.
    """
    from autohier.cli.console_callback import member_opener
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.fusion import fit as fusion_fit
    from autohier.fusion.members import class_names
    from autohier.fusion.paths import free_fusion, unprotected_members
    from autohier.fusion.selection import find_members
    from autohier.reports.fusion import fusion_report
    from autohier.sweep.paths import time_name
    from autohier.sweep.relocation import GivenFolders
    from autohier.text import shell_words

    weighting = _parse_weights(weights)
    given, out = GivenFolders(data, out, pretrained), out or DEFAULT_OUT
    folder = free_fusion(name or time_name("fusion"), out)
    console = open_console()
    log = console.print
    members = [member for trial in trials for member in find_members(trial, out, log, given)]
    opener = member_opener(console, device, threads)
    fusion, fused = fusion_fit.fuse(members, weighting, opener, log)
    members = list(fusion.members)
    folder.write(fusion)
    names = [member.name for member in members]
    title = f"{folder.path.name} on validation clips"
    pools_folds = any(member.config.protocol.validation == "folds" for member in members)
    report = fusion_report(fused, names, class_names(members[0]), title=title, pools_folds=pools_folds)
    console.print(report)
    if weighting == "search":
        console.print("these clips also chose the members and the weights: the accuracy is optimistic")
    for member in unprotected_members(folder, members, out):
        console.print(
            f"WARNING: 'store collect' may remove stages of {member.name}, as {out} does not hold both them "
            "and the fusion"
        )
    console.print(f"evaluate: {shell_words('autohier', 'evaluate', folder.path)}", soft_wrap=True)


def _parse_weights(text: str) -> Weights:
    from autohier.errors import InputError

    named: dict[str, Weights] = {"search": "search", "equal": "equal"}
    if text in named:
        return named[text]
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            "--weights takes search, equal or numbers", got=text, hint="write e.g. --weights 2,1"
        ) from error
