"""``autohier store``: what lies in the stage store; ``autohier store collect``: make it smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder

_BYTES_PER_GB = 1_000_000_000

store_app = typer.Typer()


@store_app.callback(invoke_without_command=True)
def store(context: typer.Context, out: OutFolder = DEFAULT_OUT) -> None:
    """List the finished stages that sweeps share; collect makes room among them."""
    context.obj = out
    if context.invoked_subcommand is not None:
        return
    from autohier.cli.driving import open_console
    from autohier.core.stages.inventory import list_store
    from autohier.reports.stages import stage_report
    from autohier.sweep.collection import read_sweeps, users_of_stages
    from autohier.sweep.folder import stage_folder

    stored = list_store(stage_folder(out))
    open_console().print(stage_report(stored, users_of_stages(read_sweeps(out))))


@store_app.command()
def collect(
    context: typer.Context,
    keep_gb: Annotated[float, typer.Option(min=0, help="What the store may hold, in GB of 10^9 bytes.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go, and remove nothing.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where sweeps and finished stages lie.")] = None,
) -> None:
    """Remove what was not used for longest until the store is small enough.

    Quarantine goes first, then unfinished stages, then finished ones. What a running sweep uses stays, and so
    do the stages of each sweep's three best trials and unfinished stages younger than a day.
    """
    from autohier.reports.stages import collection_text
    from autohier.sweep import collection

    keep_bytes = keep_gb * _BYTES_PER_GB
    done = collection.collect(out or context.obj, keep_bytes=keep_bytes, dry_run=dry_run)
    typer.echo(
        collection_text(done.stored, done.removed, done.needed, keep_bytes=keep_bytes, dry_run=dry_run)
    )
