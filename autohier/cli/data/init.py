"""``autohier init DATASET``: print a search space that is fitted to a prepared dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_DATA, DataFolder, DatasetStore, PresentModality


def init(
    dataset: DatasetStore,
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file to write; by default the space is printed.")
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    modality: PresentModality = None,
    clip_input: Annotated[
        Literal["frames", "skeletons"] | None,
        typer.Option(
            "--input",
            help="What networks read; by default frames, or skeletons if the store has no frames.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print a search space that fits a prepared dataset: classes, protocol, clip input, recognizers."""
    from autohier.data.names import plain_name
    from autohier.data.store.paths import find_store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.files import check_new_file, write_atomically
    from autohier.sweep.planning.fitted_space import fit_space
    from autohier.text import shell_words

    if out is not None:
        check_new_file(out, option="--out")
    store = ClipStore.open(find_store_folder(data, dataset, modality), modality_option="--modality ")
    text = fit_space(store, plain_name(store.folder.name).replace("-", "_"), clip_input)
    if out is None:
        echo(text.rstrip("\n"))
        return
    write_atomically(out, text.encode())
    command = shell_words("autohier", "search", out, *(["--data", data] if data != DEFAULT_DATA else []))
    echo(f"written to {out}; next: {command}")
