"""``autohier check DATASET --source DIR``: what is wrong with a dataset's own files, and how to mend it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autohier.cli.prepare import INTERRUPTED

if TYPE_CHECKING:
    from autohier.data.checking import DatasetCheck
    from autohier.data.checking_splits import SplitCheck
    from autohier.data.datasets.reader import DatasetReader

FOUND_FAULTS = 1
_QUIET_S = 2.0
_NUM_EXAMPLES = 3


def check_source(
    dataset: str,
    source: Path,
    *,
    modality: str | None,
    name: str | None,
    quick: bool,
    keep_all: bool,
    workers: int | None,
) -> None:
    """Print what `check_dataset` finds; progress goes to standard error where it takes over two seconds.

    Raises:
        Exit: with 1 where clips would be rejected or split sizes differ from the published ones, with 130
            where it was interrupted.
    """
    from autohier.cli.prepare_progress import ProgressLines
    from autohier.data.checking import check_dataset
    from autohier.data.datasets.registry import open_dataset
    from autohier.errors import printable

    start_s = time.monotonic()
    with ProgressLines() as lines:

        def show(what: str, num_done: int, num_all: int) -> None:
            if time.monotonic() - start_s > _QUIET_S:
                lines.show_checked(what, num_done, num_all)

        try:
            reader = open_dataset(dataset, modality=modality, source=source, stored_as=name)
            found = check_dataset(
                reader, source, quick=quick, keep_all=keep_all, num_workers=workers, progress=show
            )
        except KeyboardInterrupt:
            lines.say("stopped; nothing was changed")
            raise typer.Exit(INTERRUPTED) from None
    for line in describe(reader, found, keep_all=keep_all):
        typer.echo(printable(line))
    if not found.is_sound:
        raise typer.Exit(FOUND_FAULTS)


def describe(reader: DatasetReader, found: DatasetCheck, *, keep_all: bool) -> Iterator[str]:
    """The lines that tell what was found: what is sound first, then FAULT and WARNING lines, then the sum."""
    from autohier.data.protocols import PROTOCOLS

    least, median, most = found.clips_per_class
    yield f"{reader.name} {reader.modality}: {found.num_clips:,} clips of {len(reader.class_names)} classes"
    yield f"clips of a class: {least:,} to {most:,}, median {median:,g}"
    source = "published" if reader.name in PROTOCOLS else "listed"
    for split in found.splits:
        published = f", as {source}" if split.is_published else ""
        neither = f", {split.neither:,} clips do neither" if split.neither else ""
        yield f"{split.protocol}: {split.train:,} train / {split.test:,} test clips{published}{neither}"
    yield from (text for text, remedy in reader.remarks if not remedy)
    if found.num_tried < found.num_clips:
        yield f"files of {found.num_tried} evenly spaced clips of {found.num_clips:,} were read (--quick)"
    compared = found.duplicates
    yield (
        f"files compared by size, then by content: {compared.num_read:,} were as large as another, "
        f"{compared.num_bytes / 1e6:,.1f} MB of them were read"
    )
    if compared.num_entries:
        yield f"poses of {compared.num_entries:,} clips of one file compared by content"
    yield from _describe_faults(reader, found, keep_all=keep_all)
    for text, remedy in reader.remarks:
        if remedy:
            yield f"WARNING: {text}"
            yield f"  mend: {remedy}"
    yield from _describe_warnings(reader, found)
    at_least = "at least " if found.num_tried < found.num_clips else ""
    yield f"prepare would reject {at_least}{found.num_rejected:,} of {found.num_clips:,} clips"


def _describe_faults(reader: DatasetReader, found: DatasetCheck, *, keep_all: bool) -> Iterator[str]:
    from autohier.data.protocols import PROTOCOLS

    is_kept = keep_all and reader.channels > 0
    mend = "fetch what is missing, or take out what is there twice or does not belong there"
    if reader.name not in PROTOCOLS:
        mend = "add what the lists name and is missing, or take it out of them"
    for finding in found.split_findings:
        yield f"FAULT: {finding}"
        yield f"  mend: {mend}"
    for group in found.faults:
        word = "WARNING" if is_kept and group.kind == "skeleton" else "FAULT"
        yield f"{word}: {group.num_clips:,} clips break this rule of a {group.kind} file: {group.rule}"
        yield from (f"  {example}" for example in group.examples)
        yield f"  mend: {group.remedy}"
    if found.without_skeleton:
        word = "WARNING" if is_kept or found.is_published_without else "FAULT"
        yield f"{word}: {len(found.without_skeleton):,} clips come without a skeleton file"
        yield f"  {_some(found.without_skeleton)}"
        yield f"  mend: fetch the skeletons, or {_without_skeletons(reader, is_kept=is_kept)}"
    if found.listed_missing:
        yield (
            f"WARNING: {len(found.listed_missing):,} clips are listed by their authors as without a usable "
            "skeleton"
        )
        yield f"  {_some(found.listed_missing)}"
        yield f"  mend: {_without_skeletons(reader, is_kept=is_kept)}"


def _without_skeletons(reader: DatasetReader, *, is_kept: bool) -> str:
    """What a user may do about clips that have no skeleton and get none."""
    if is_kept:
        return "leave such clips: they are kept whole"
    if reader.channels:
        return "keep such clips whole: --keep-all, and with --no-crop all clips alike"
    return "leave such clips: prepare sets them aside"


def _describe_warnings(reader: DatasetReader, found: DatasetCheck) -> Iterator[str]:
    if found.empty_classes:
        yield f"WARNING: {len(found.empty_classes)} classes are without clips: {_some(found.empty_classes)}"
        yield "  mend: fetch their clips; a search over fewer classes needs a custom dataset"
    for split in found.splits:
        if not (split.train and split.test):
            yield f"WARNING: nothing {'tests' if split.train else 'trains'} under {split.protocol}"
            yield "  mend: add clips, or say in a table or in lists which test; no search can use it as it is"
        yield from _describe_both_sides(split)
        if split.untrained:
            names = tuple(reader.class_names[label] for label in split.untrained)
            yield f"WARNING: {len(names)} classes test and never train under {split.protocol}: {_some(names)}"
            yield "  mend: let clips of them train too, or take them out: no network can learn them"
    for same in found.duplicates.found:
        across = f", and both train and test under {', '.join(same.across)}" if same.across else ""
        yield f"WARNING: {len(same.clip_ids)} clips hold the same content{across}: {_some(same.clip_ids)}"
        yield from (f"  {path}" for path in same.paths[:_NUM_EXAMPLES])
        rest = "fetch the others again" if same.paths else "take the others out"
        yield f"  mend: keep the one that is named rightly, and {rest}"
    if found.unequal:
        examples = tuple(f"{one.clip_id} ({one.skeleton}, not {one.video})" for one in found.unequal)
        yield (
            f"WARNING: the poses of {len(examples):,} clips are not of as many frames as their video: "
            f"{_some(examples)}"
        )
        yield "  mend: find the poses in these very videos; prepare keeps such clips as they are"
    for used, *others in found.same_names:
        yield f"WARNING: a file is there {1 + len(others)} times: {used} is read"
        yield from (f"  {path} is not" for path in others[:_NUM_EXAMPLES])
        yield "  mend: take out those that are not meant"


def _describe_both_sides(split: SplitCheck) -> Iterator[str]:
    if split.on_both_sides:
        yield (
            f"WARNING: {len(split.on_both_sides):,} {split.column}s both train and test under "
            f"{split.protocol}: {_some(tuple(map(str, split.on_both_sides)))}"
        )
        yield f"  mend: give each {split.column} to one side, unless the protocol means it so"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NUM_EXAMPLES])
    return f"{shown}, ..." if len(names) > _NUM_EXAMPLES else shown
