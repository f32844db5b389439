"""``autohier compact STAGE --file FILE``: write a stage's network without its dead channels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_OUT, OutFolder


def compact(
    stage: Annotated[
        str,
        typer.Argument(metavar="STAGE", help="Key of the stage, or its beginning (see autohier store)."),
    ],
    *,
    file: Annotated[Path, typer.Option(metavar="FILE", help="The .safetensors file to write.")],
    multiple: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Keep a multiple of N filters per layer; 16 may run faster."),
    ] = 1,
    out: OutFolder = DEFAULT_OUT,
) -> None:
    """Write the network of a stage without its dead channels; its outputs stay the same."""
    from autohier.core.stages.compacted import write_compacted
    from autohier.core.stages.store.listing import find_stage
    from autohier.core.stages.store.stage_store import StageStore
    from autohier.files import check_new_file
    from autohier.sweep.paths import stage_folder

    check_new_file(file, option="--file")
    store = StageStore(stage_folder(out))
    kind, key = find_stage(store.folder, stage)
    saving = write_compacted(store, kind, key, file, multiple=multiple)
    before, after = saving.unpruned, saving.compacted
    echo(f"{file}: {kind.name} {key[:12]}, {file.stat().st_size / 1e6:,.1f} MB")
    echo(f"parameters: {before.parameters:,} -> {after.parameters:,}")
    echo(f"multiply-adds per clip: {before.multiply_adds:,} -> {after.multiply_adds:,}")
