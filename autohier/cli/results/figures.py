"""``autohier figures SWEEP``: write the figures of a sweep as files for a paper."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_OUT, GivenData, GivenWeights

if TYPE_CHECKING:
    from autohier.reports.figures.paper import NamedFigure
    from autohier.sweep.finished_trials import RecordedSweep
    from autohier.sweep.relocation import GivenFolders

FIGURES = "figures"
"""Name of the folder of the figures in the sweep's folder."""


def figures(
    model: Annotated[
        str,
        typer.Argument(
            metavar="SWEEP",
            help="Sweep, for all figures; or SWEEP:TRIAL or SWEEP:TRIAL@PASS (e.g. @prune-1), for those of "
            "one network.",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the files; by default figures in the sweep's folder."),
    ] = None,
    formats: Annotated[
        str, typer.Option(metavar="NAMES", help="Formats, separated by commas: pdf, svg and png.")
    ] = "pdf,svg",
    gradients: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Number of validation clips for the gradient maps of every head; for L heads, they take "
            "about as long as 1 + 2 L evaluations of these clips. 0 draws none.",
        ),
    ] = 0,
    attention: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Number of validation clips for the mean attention to each part of the body, by class, of a "
            "network that weighs them. 0 draws none.",
        ),
    ] = 0,
    sweeps: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the sweeps and of their stage store.")
    ] = DEFAULT_OUT,
    data: GivenData = None,
    pretrained: GivenWeights = None,
) -> None:
    """Write the figures of a sweep as PDF and SVG files, e.g. for a paper.

    They show the superclasses of the best trial, its confusion matrix, the accuracy after each pruning pass,
    the history of the search, parallel coordinates, importances and the Pareto front. With --gradients they
    also show to which places of a clip each head is sensitive, and with --attention how much each part of the
    body weighs, with the numbers in .npz files. Existing files are replaced.
    """
    # It warns of a home folder that is missing or read-only, and draws nevertheless.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from autohier.errors import InputError
    from autohier.files import write_atomically
    from autohier.reports.figures.rendering import parse_formats, render
    from autohier.sweep.finished_trials import read_sweep, split_trial_name
    from autohier.sweep.relocation import GivenFolders

    wanted = parse_formats(formats)
    folder, selector = split_trial_name(model, sweeps)
    sweep = read_sweep(folder)
    target = out or folder.path / FIGURES
    if target.exists() and not target.is_dir():
        raise InputError("--out must name a folder, not a file", got=target, hint="name a folder")
    given = GivenFolders(data, None, pretrained)
    for each in _figures(sweep, selector, given, gradients, attention):
        if each.figure is None:
            echo(f"skipped {each.name}: {each.reason}")
            continue
        for file_format in wanted:
            path = target / f"{each.name}.{file_format}"
            write_atomically(path, render(each.figure, file_format))
            echo(str(path))
        if each.arrays:
            write_atomically(target / f"{each.name}.npz", each.arrays)
            echo(str(target / f"{each.name}.npz"))


def _figures(
    sweep: RecordedSweep, selector: str | None, given: GivenFolders, num_gradients: int, num_attention: int
) -> Iterator[NamedFigure]:
    """Yield the figures of a sweep, or of the trial that the selector names."""
    from autohier.reports.figures.paper import (
        attention_figure,
        class_figures,
        gradient_figure,
        search_figures,
    )
    from autohier.sweep.paths import override_places

    plan = override_places(sweep.plan, given)
    trial = sweep.complete_trial(selector) if selector else None
    yield from class_figures(sweep.records, plan, trial)
    if num_gradients:
        yield gradient_figure(sweep.records, plan, trial, num_gradients)
    if num_attention:
        yield attention_figure(sweep.records, plan, trial, num_attention)
    if trial is None:
        provenance = sweep.folder.read_plan()[1]
        yield from search_figures(sweep.records, plan, provenance)
