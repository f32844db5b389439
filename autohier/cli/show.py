"""``autohier show DATASET CLIP_ID``: a prepared clip as one picture, to see its crop and its skeleton."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_DATA, DataFolder, PresentModality


def show(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A prepared dataset, by the name of its store.")
    ],
    clip_id: Annotated[str, typer.Argument(metavar="CLIP_ID", help="A clip of it, or how its id begins.")],
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The PNG to write; CLIP_ID.png by default.")
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    modality: PresentModality = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames to show, evenly chosen.")] = 12,
) -> None:
    """Draw a prepared clip: its frames under its skeleton, and where the box lies in the source."""
    from autohier.data.store.paths import present_store
    from autohier.data.store.reader import ClipStore
    from autohier.errors import InputError
    from autohier.files import write_atomically
    from autohier.reports.clip_view import find_clip, view_clip
    from autohier.reports.contact_sheet import draw_contact_sheet

    store = ClipStore.open(present_store(data, dataset, modality), choosing="--modality ")
    row = find_clip(store.clips.clip_id, clip_id)
    path = out or Path(store.clips.clip_id[row].replace("/", "_") + ".png")
    if path.is_dir():
        raise InputError("a picture must be written to a file", got=path, remedy="add its name to --out")
    write_atomically(path, draw_contact_sheet(view_clip(store, row, frames)))
    typer.echo(str(path))
