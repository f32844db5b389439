"""``autohier store``: list the stage store; ``autohier store collect``: reduce its size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import DEFAULT_OUT, OutFolder
from autohier.errors import InputError
from autohier.text import plural

_BYTES_PER_GB = 1_000_000_000

store_app = typer.Typer()


@store_app.callback(invoke_without_command=True)
def store(
    context: typer.Context,
    out: OutFolder = DEFAULT_OUT,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Maximum number of stages listed; all by default.")
    ] = None,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
) -> None:
    """List the finished stages that sweeps share; collect removes the least recently used."""
    context.obj = out
    if context.invoked_subcommand is not None:
        return
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.core.stages.store.listing import list_store
    from autohier.reports.stages import StageEntry, stage_entries, stage_report
    from autohier.sweep.paths import stage_folder
    from autohier.sweep.stage_collection import read_sweeps, users_of_stages

    is_machine_readable = is_for_programs(as_json=as_json, as_csv=as_csv)
    stored = list_store(stage_folder(out))
    users = users_of_stages(read_sweeps(out, strict=False))
    if is_machine_readable:
        entries = stage_entries(stored, users)[:limit]
        print_rows({"stages": entries}, StageEntry, entries, as_json=as_json)
    else:
        open_console().print(stage_report(stored, users, limit=limit))


@store_app.command()
def remote(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="Object storage, e.g. s3://BUCKET/FOLDER; by default shows it."),
    ] = None,
    none: Annotated[
        bool, typer.Option("--none", help="Copy stages nowhere from now on; the copies stay.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the sweeps and of their stage store.")
    ] = None,
) -> None:
    """Copy the finished stages to object storage from now on, also those that are there already."""
    from autohier.core.stages.store.remote_stages import find_remote, set_remote, unset_remote
    from autohier.core.stages.store.stage_store import StageStore
    from autohier.sweep.paths import stage_folder

    folder = stage_folder(out or context.obj)
    if url and none:
        raise InputError("a URL and --none exclude each other", hint="omit one")
    if url:
        set_remote(folder, url)
        num_copied, num_left = StageStore(folder).upload_missing()
        left = f"; {num_left} could not be copied" if num_left else ""
        echo(f"copied {plural(num_copied, 'stage')} of {folder} to {url}{left}")
        return
    if none:
        unset_remote(folder)
    found = find_remote(folder)
    echo(f"stages of {folder} are copied {f'to {found.url}' if found else 'nowhere'}")


@store_app.command()
def collect(
    context: typer.Context,
    keep_gb: Annotated[
        float, typer.Option(metavar="X", min=0, help="Maximum size of the store in GB (10^9 bytes).")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, without removing it.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the sweeps and of their stage store.")
    ] = None,
) -> None:
    """Remove the least recently used stages until the store is small enough.

    Quarantined stages go first, then unfinished, then finished ones. Stages of running sweeps, of each
    sweep's three best trials, of fusions and of starts stay, and so do unfinished stages younger than a day.
    """
    if math.isnan(keep_gb):  # typer's range accepts it
        raise InputError("--keep-gb must be a number of GB", got=keep_gb, hint="write e.g. --keep-gb 50")
    from autohier.fusion.paths import protected_stages
    from autohier.reports.stages import collection_text
    from autohier.sweep import stage_collection

    folder, keep_bytes = out or context.obj, keep_gb * _BYTES_PER_GB
    done = stage_collection.collect(
        folder, keep_bytes=keep_bytes, protected=protected_stages, dry_run=dry_run
    )
    echo(collection_text(done.stored, done.removed, done.needed, keep_bytes=keep_bytes, dry_run=dry_run))
