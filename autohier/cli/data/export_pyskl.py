"""``autohier export-pyskl DATASET --out FILE.pkl``: export a dataset's poses for PYSKL and MMAction2."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_DATA, DataFolder, DatasetStore, PresentModality
from autohier.text import plural


def export_pyskl(
    dataset: DatasetStore,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The pickle to write.")],
    data: DataFolder = DEFAULT_DATA,
    modality: PresentModality = None,
) -> None:
    """Export skeletons, labels and splits as the pickle that PYSKL and MMAction2 read."""
    from autohier.data.export.pyskl import export_pyskl as write_pickle
    from autohier.data.store.paths import find_store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.files import check_new_file

    check_new_file(out, option="--out")
    store = ClipStore.open(find_store_folder(data, dataset, modality), modality_option="--modality ")
    summary = write_pickle(store, out)
    echo(f"{out}: {plural(summary.num_clips, 'clip')}, {out.stat().st_size / 1e6:,.1f} MB")
    for name, num_clips in summary.split.items():
        echo(f"  {name}: {plural(num_clips, 'clip')}")
    if summary.num_left_out:
        echo(f"omitted: {plural(summary.num_left_out, 'clip')} without a skeleton")
