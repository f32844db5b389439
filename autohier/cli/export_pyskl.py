"""``autohier export-pyskl DATASET --out FILE.pkl``: a prepared dataset's poses for PYSKL and MMAction2."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_DATA, DataFolder, PresentModality


def export_pyskl(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A prepared dataset, by the name of its store.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The pickle to write.")],
    data: DataFolder = DEFAULT_DATA,
    modality: PresentModality = None,
) -> None:
    """Write a prepared dataset's skeletons, labels and lists as the pickle that PYSKL and MMAction2 read."""
    from autohier.data.export_pyskl import export_pyskl as write_pickle
    from autohier.data.store.paths import present_store
    from autohier.data.store.reader import ClipStore

    store = ClipStore.open(present_store(data, dataset, modality), choosing="--modality ")
    summary = write_pickle(store, out)
    typer.echo(f"{out}: {summary.num_clips:,} clips, {out.stat().st_size / 1e6:,.1f} MB")
    for name, num_clips in summary.split.items():
        typer.echo(f"  {name}: {num_clips:,}")
    if summary.num_left_out:
        typer.echo(f"{summary.num_left_out:,} clips without a skeleton are left out")
