"""``autohier show DATASET CLIP_ID``: draw or play a prepared clip, to inspect its crop and its skeleton."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import DEFAULT_DATA, DataFolder, DatasetStore, PresentModality

if TYPE_CHECKING:
    from autohier.data.store.reader import ClipStore


def show(
    dataset: DatasetStore,
    clip_id: Annotated[str, typer.Argument(metavar="CLIP_ID", help="Id of the clip, or its beginning.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write; by default CLIP_ID.png, or CLIP_ID.mp4 with --video."
        ),
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    modality: PresentModality = None,
    frames: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of frames in a picture, evenly spaced.")
    ] = 12,
    video: Annotated[
        bool, typer.Option("--video", help="Write a video, .mp4 or .gif by the ending of --out.")
    ] = False,
    rate: Annotated[
        int, typer.Option(metavar="N", min=1, max=240, help="Frames of the source per second, for --video.")
    ] = 30,
) -> None:
    """Draw a prepared clip: its frames with the skeleton, and the crop box in the source frame.

    With --video, the clip is played: every frame of the source with its skeleton. A store keeps only some
    pictures of a long clip, so each stays until the next.
    """
    import logging

    # It warns of a home folder that is missing or read-only, and draws nevertheless.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from autohier.data.store.paths import find_store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.errors import InputError
    from autohier.files import write_atomically
    from autohier.reports.clips.view import find_clip
    from autohier.text import file_name

    store = ClipStore.open(find_store_folder(data, dataset, modality), modality_option="--modality ")
    row = find_clip(store.clips.clip_id, clip_id)
    ending = "mp4" if video else "png"
    path = out or Path(f"{file_name(store.clips.clip_id[row])}.{ending}")
    if path.is_dir():
        raise InputError(
            "--out must name a file, not a folder", got=path, hint=f"write --out {path}/clip.{ending}"
        )
    write_atomically(path, _video(store, row, path, rate) if video else _picture(store, row, frames))
    echo(str(path))


def _picture(store: ClipStore, row: int, num_frames: int) -> bytes:
    from autohier.reports.clips.contact_sheet import draw_contact_sheet
    from autohier.reports.clips.view import view_clip

    return draw_contact_sheet(view_clip(store, row, num_frames))


def _video(store: ClipStore, row: int, path: Path, rate: int) -> bytes:
    from autohier.reports.clips.skeleton_video import encode_clip, video_format
    from autohier.reports.clips.view import view_clip

    file_format = video_format(path)
    every_frame = max(store.num_kept(row), 1) if store.manifest.channels else 1
    return encode_clip(view_clip(store, row, every_frame), file_format, frame_rate=rate)
