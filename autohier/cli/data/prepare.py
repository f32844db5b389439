"""``autohier prepare DATASET``: prepare a dataset's source files as a clip store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.data.source_options import SourceOptions
from autohier.cli.echo import echo
from autohier.cli.options import (
    DEFAULT_DATA,
    DataFolder,
    LayoutOption,
    PoseUnitsOption,
    ReaderOptions,
    SubjectPattern,
    parse_reader_options,
)
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.data.datasets.base import DatasetWarning
    from autohier.data.prepare.summary import PrepareSummary

INTERRUPTED = 130
_MAX_NAMED = 3


def prepare(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="Name: ntu60, ntu120, utd-mhad, n-ucla, gym99, demo, pyskl (pickle) or custom (videos).",
        ),
    ],
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the dataset's source files, at any depth; for pyskl the file."
        ),
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of a pyskl or custom dataset; the source's name by default."),
    ] = None,
    subject_pattern: SubjectPattern = None,
    modality: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Modality: rgb, depth or skeleton; the dataset's own by default."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=8, help="Side of the stored frames in pixels; by default 256, for demo 64."
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of frames stored per clip, evenly spaced.")
    ] = 40,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Number of processes; by default one per usable core."),
    ] = None,
    crop: Annotated[
        bool, typer.Option(help="Whether to crop frames to the box around the skeletons.")
    ] = True,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Keep clips without a usable skeleton, uncropped.")
    ] = False,
    layout: LayoutOption = "",
    pose_units: PoseUnitsOption = "",
    part: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Part to prepare, e.g. 3/8 of eight; the last to finish writes the store."
        ),
    ] = "1/1",
    reader_options: ReaderOptions = None,
) -> None:
    """Prepare a dataset once for all sweeps: decode, crop, resize and store frames of each clip.

    The same command resumes an interrupted preparation.
    """
    from autohier.cli.data.prepare_progress import ProgressLines
    from autohier.data.datasets.registry import dataset_settings
    from autohier.data.prepare.demo_source import DEMO_SIZE_PX, generate_demo_source
    from autohier.data.prepare.parts import Part
    from autohier.data.prepare.pipeline import prepare_dataset
    from autohier.data.store.paths import store_folder
    from autohier.errors import InputError, printable

    options = SourceOptions(
        dataset,
        source,
        modality=modality,
        name=name,
        subject_pattern=subject_pattern,
        pose_units=pose_units,
        layout=layout,
        settings=parse_reader_options(reader_options),
    )
    own_part = Part.parse(part)
    reader = options.open()
    is_demo = reader.name == "demo"
    with ProgressLines() as lines:
        try:
            if is_demo and source is None:
                source = generate_demo_source(data, num_workers=workers, on_progress=lines.show_generated)
            if source is None:
                raise InputError(f"{reader.name} needs a folder of source files", hint="add --source DIR")
            summary = prepare_dataset(
                reader,
                source,
                store_folder(data, reader.name, reader.modality),
                size_px=(DEMO_SIZE_PX if is_demo else 256) if size is None else size,
                max_frames=frames,
                crop=crop,
                without_skeleton="whole-frame" if keep_all else "reject",
                reader_settings=dataset_settings(dataset, options.settings),
                num_workers=workers,
                part=own_part,
                on_progress=lines.show_prepared,
                on_message=lines.say,
            )
        except KeyboardInterrupt:
            lines.say("interrupted; finished shards are kept: run the same command to resume")
            raise typer.Exit(INTERRUPTED) from None
    for line in describe(summary, reader.warnings):
        echo(printable(line))
    if summary.fingerprint is not None:
        echo(f"next: {_next_step(summary.store_folder)}")


def _next_step(folder: Path) -> str:
    """Return the command to run next: `search` if a shipped space fits the finished store, else `init`."""
    from autohier.config.search.loading import load_space, shipped_spaces
    from autohier.data.store.paths import store_folder
    from autohier.text import shell_words

    data = [] if folder.parent == DEFAULT_DATA else ["--data", folder.parent]
    for name in shipped_spaces():
        space = load_space(name)
        if store_folder(folder.parent, space.dataset, space.clips.modality) == folder:
            return shell_words("autohier", "search", name, *data)
    return shell_words("autohier", "init", folder.name, *data, "--out", f"{folder.name}.toml")


def describe(summary: PrepareSummary, findings: Sequence[DatasetWarning] = ()) -> list[str]:
    """Return the lines that describe a preparation.

    Args:
        summary: result of the preparation.
        findings: notes and warnings of the dataset's reader about the source files.
    """
    folder = summary.store_folder
    size = f"{plural(summary.num_clips, 'clip')}, {summary.num_bytes / 1e6:,.1f} MB"
    lines = [f"{folder}: {size}, in {summary.elapsed_s:,.0f} s"]
    if summary.rejected_by_kind:
        listing = "" if summary.fingerprint is None else f"; listed in {folder / 'rejected.parquet'}"
        num_kept = sum(count for _, count in summary.rejected_by_kind) - summary.num_rejected
        uncropped = f", {num_kept:,} kept uncropped without a skeleton" if num_kept else ""
        lines.append(f"{plural(summary.num_rejected, 'clip')} rejected{uncropped}{listing}:")
        lines.extend(
            f"  {plural(count, 'file breaks', 'files break')} this rule: {kind}"
            for kind, count in summary.rejected_by_kind
        )
    if summary.num_unequal:
        lines.append(
            f"WARNING: {plural(summary.num_unequal, 'clip has', 'clips have')} poses for another number of "
            "frames than the video has; 'autohier check --source' lists them"
        )
    if summary.stalled:
        lines.append(
            f"WARNING: {len(summary.stalled):,} clips show few frames for most of their time, so that most "
            f"of their stored frames are the same, e.g. {summary.stalled[0]}: if their time stamps jump, "
            "encode them again with a constant frame rate"
        )
    if summary.num_repeated:
        lines.append(
            f"WARNING: {plural(summary.num_repeated, 'clip has', 'clips have')} the content of another clip: "
            f"{_same_text(summary)}; a search with --drop-duplicates trains on none that also tests"
        )
    warnings = (*findings, *summary.pose_warnings)
    lines.extend(f"WARNING: {text}: {hint}" if hint else text for text, hint in warnings)
    lines.extend(f"WARNING: {finding}" for finding in summary.split_findings)
    if summary.fingerprint is None:
        lines.append("other parts are not prepared yet; the last to finish writes the store")
    return lines


def _same_text(summary: PrepareSummary) -> str:
    """Return the first groups of clips with equal content as text, e.g. "a = b, c = d", and where all are."""
    from autohier.data.store.same_content import SAME_CONTENT

    groups = [" = ".join(group) for group in summary.same_content[:_MAX_NAMED]]
    is_more = len(summary.same_content) > _MAX_NAMED
    return ", ".join(groups) + f", ...; all are in {summary.store_folder / SAME_CONTENT}" * is_more
