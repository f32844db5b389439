"""``autohier compact STAGE --file FILE``: a finished stage's network without its dead channels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder


def compact(
    stage: Annotated[
        str, typer.Argument(metavar="STAGE", help="How its key begins; autohier store lists them.")
    ],
    *,
    file: Annotated[Path, typer.Option(metavar="FILE", help="The .safetensors file to write.")],
    multiple: Annotated[
        int, typer.Option(min=1, help="Filters of a layer are a multiple of this: 16 may be faster.")
    ] = 1,
    out: OutFolder = DEFAULT_OUT,
) -> None:
    """Write a stage's network as a smaller one with the same outputs, its dead channels taken out."""
    from autohier.core.stages.compacted import write_compacted
    from autohier.core.stages.inventory import find_stage
    from autohier.core.stages.store import StageStore
    from autohier.sweep.folder import stage_folder

    store = StageStore(stage_folder(out))
    kind, key = find_stage(store.folder, stage)
    saving = write_compacted(store, kind, key, file, multiple=multiple)
    before, after = saving.unpruned, saving.compacted
    typer.echo(f"{file}: {kind} {key[:12]}, {file.stat().st_size / 1e6:,.1f} MB")
    typer.echo(f"parameters {before.parameters:,} -> {after.parameters:,}")
    typer.echo(f"multiply-adds of a clip {before.multiply_adds:,} -> {after.multiply_adds:,}")
