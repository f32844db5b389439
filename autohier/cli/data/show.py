"""``autohier show DATASET CLIP_ID``: draw a prepared clip, to inspect its crop and its skeleton."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_DATA, DataFolder, DatasetStore, PresentModality


def show(
    dataset: DatasetStore,
    clip_id: Annotated[str, typer.Argument(metavar="CLIP_ID", help="Id of the clip, or its beginning.")],
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The PNG to write; CLIP_ID.png by default.")
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    modality: PresentModality = None,
    frames: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of frames to draw, evenly spaced.")
    ] = 12,
) -> None:
    """Draw a prepared clip: its frames with the skeleton, and the crop box in the source frame."""
    import logging

    # It warns of a home folder that is missing or read-only, and draws nevertheless.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from autohier.data.store.paths import find_store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.errors import InputError
    from autohier.files import write_atomically
    from autohier.reports.clips.contact_sheet import draw_contact_sheet
    from autohier.reports.clips.view import find_clip, view_clip
    from autohier.text import file_name

    store = ClipStore.open(find_store_folder(data, dataset, modality), modality_option="--modality ")
    row = find_clip(store.clips.clip_id, clip_id)
    path = out or Path(file_name(store.clips.clip_id[row]) + ".png")
    if path.is_dir():
        raise InputError(
            "--out must name a file, not a folder", got=path, hint=f"write --out {path}/clip.png"
        )
    write_atomically(path, draw_contact_sheet(view_clip(store, row, frames)))
    echo(str(path))
