"""``autohier check``: check a search space and its clips, or the source files of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.data.check_source import check_source
from autohier.cli.data.check_space import check_space
from autohier.cli.data.source_options import SourceOptions
from autohier.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    DataFolder,
    LayoutOption,
    OutFolder,
    Overrides,
    PoseUnitsOption,
    ReaderOptions,
    SubjectPattern,
    parse_reader_options,
)
from autohier.errors import InputError


def check(
    name_or_space: Annotated[
        str,
        typer.Argument(
            metavar="SPACE|DATASET",
            help="Shipped search space or a TOML file; with --source a dataset, as for prepare.",
        ),
    ],
    *,
    data: DataFolder = DEFAULT_DATA,
    out: OutFolder = DEFAULT_OUT,
    overrides: Overrides = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the dataset's source files, which are checked; for pyskl the file."
        ),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --source: modality, i.e. rgb, depth or skeleton.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --source: name of a pyskl or custom dataset.")
    ] = None,
    subject_pattern: SubjectPattern = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --source: read the files of only 200 clips.")
    ] = False,
    keep_all: Annotated[
        bool,
        typer.Option("--keep-all", help="With --source: accept clips without a usable skeleton."),
    ] = False,
    layout: LayoutOption = "",
    pose_units: PoseUnitsOption = "",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="With --source: number of processes; by default one per usable core."
        ),
    ] = None,
    reader_options: ReaderOptions = None,
) -> None:
    """Check a search space and its clips or, with --source, the source files of a dataset.

    With --source, faults exit with code 1: clips that prepare would reject, unless the published split sizes
    leave them out, and split sizes that differ from the published ones. Warnings exit with code 0.
    """
    if source is None:
        given = (modality, name, subject_pattern, quick, keep_all, layout, pose_units, reader_options)
        if any(given) or workers is not None:
            raise InputError(
                "--modality, --name, --subject-pattern, --quick, --keep-all, --layout, --pose-units, "
                "--workers and --reader-option need a dataset's source files",
                hint="add --source DIR",
            )
        check_space(name_or_space, data, out, overrides)
        return
    if overrides:
        raise InputError("--set changes a search space, but --source checks a dataset", hint="omit one")
    options = SourceOptions(
        name_or_space,
        source,
        modality=modality,
        name=name,
        subject_pattern=subject_pattern,
        pose_units=pose_units,
        layout=layout,
        settings=parse_reader_options(reader_options),
    )
    check_source(options, source, quick=quick, keep_all=keep_all, workers=workers)
