"""``autohier prepare DATASET``: make a store of a dataset's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import DEFAULT_DATA, DataFolder

if TYPE_CHECKING:
    from autohier.data.datasets.reader import Remark
    from autohier.data.preparation import PrepareSummary

INTERRUPTED = 130


def prepare(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="ntu60, ntu120, utd-mhad, n-ucla, gym99, demo; pyskl (a pickle) or custom (your videos).",
        ),
    ],
    *,
    source: Annotated[
        Path | None, typer.Option(help="Folder of the dataset's own files, at any depth; for pyskl the file.")
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    name: Annotated[
        str | None,
        typer.Option(help="What a pyskl or custom dataset is called; its source's name by default."),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="rgb, depth or skeleton; the dataset's own by default.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the kept frames in pixels; 256, and 64 for demo, by default.")
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames kept per clip, evenly spaced.")] = 32,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core by default.")] = None,
    crop: Annotated[bool, typer.Option(help="Cut frames to the box of the skeleton.")] = True,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Keep clips without a usable skeleton too, uncropped.")
    ] = False,
    part: Annotated[
        str, typer.Option(help="Prepare one part of so many, e.g. 3/8; the last to end makes the store.")
    ] = "1/1",
) -> None:
    """Prepare a dataset once for all searches: decode, crop, resize, keep some frames of each clip.

    A preparation that was stopped goes on where it was when the command is given again.
    """
    from autohier.cli.prepare_progress import ProgressLines
    from autohier.data.datasets.registry import open_dataset
    from autohier.data.demo_preparation import DEMO_SIZE_PX, generate_demo_source
    from autohier.data.preparation import Part, prepare_dataset
    from autohier.data.store.paths import store_folder
    from autohier.errors import InputError, printable

    reader = open_dataset(dataset, modality=modality, source=source, stored_as=name)
    is_demo = reader.name == "demo"
    with ProgressLines() as lines:
        try:
            if is_demo and source is None:
                source = generate_demo_source(data, num_workers=workers, progress=lines.show_generated)
            if source is None:
                raise InputError(f"{reader.name} is prepared from its own files", remedy="add --source DIR")
            summary = prepare_dataset(
                reader,
                source,
                store_folder(data, reader.name, reader.modality),
                size_px=(DEMO_SIZE_PX if is_demo else 256) if size is None else size,
                max_frames=frames,
                crop=crop,
                without_skeleton="whole-frame" if keep_all else "reject",
                num_workers=workers,
                part=Part.of_text(part),
                progress=lines.show_prepared,
                say=lines.say,
            )
        except KeyboardInterrupt:
            lines.say("stopped; finished shards are kept: give the same command to go on")
            raise typer.Exit(INTERRUPTED) from None
    for line in describe(summary, reader.remarks):
        typer.echo(printable(line))


def describe(summary: PrepareSummary, remarks: Sequence[Remark] = ()) -> list[str]:
    """The lines that tell what a preparation has made, and what its reader remarked on the source."""
    folder = summary.store_folder
    size = f"{summary.num_clips:,} clips, {summary.num_bytes / 1e6:,.1f} MB"
    lines = [f"{folder}: {size}, in {summary.elapsed_s:,.0f} s"]
    if summary.rejected_by_kind:
        named = "" if summary.fingerprint is None else f"; {folder / 'rejected.parquet'} names each"
        kept = sum(count for _, count in summary.rejected_by_kind) - summary.num_rejected
        whole = f", {kept:,} kept whole without a skeleton" if kept else ""
        lines.append(f"{summary.num_rejected:,} clips rejected{whole}{named}:")
        lines.extend(f"  {count:,} files break this rule: {kind}" for kind, count in summary.rejected_by_kind)
    if summary.num_unequal:
        count = f"{summary.num_unequal:,} clips are kept"
        lines.append(
            f"WARNING: {count} whose poses are not of as many frames as their video; check names them"
        )
    lines.extend(f"WARNING: {text}: {remedy}" if remedy else text for text, remedy in remarks)
    lines.extend(f"WARNING: {finding}" for finding in summary.split_findings)
    if summary.fingerprint is None:
        lines.append("other parts are still to be prepared; the one that ends last makes the store")
    return lines
