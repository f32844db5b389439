"""``autohier check DATASET --source DIR``: print faults of a dataset's source files, and their fixes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autohier.cli.data.prepare import INTERRUPTED
from autohier.cli.data.source_options import SourceOptions
from autohier.cli.echo import echo
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.data.datasets.base import DatasetReader
    from autohier.data.validate.duplicate_files import SameContent
    from autohier.data.validate.report import DatasetCheck
    from autohier.data.validate.splits import SplitCheck

FOUND_FAULTS = 1
_QUIET_S = 2.0
_NUM_EXAMPLES = 3


def check_source(
    options: SourceOptions, source: Path, *, quick: bool, keep_all: bool, workers: int | None
) -> None:
    """Print the findings of `check_dataset`; after two seconds, also its progress on standard error.

    Args:
        options: what to open, as for ``prepare``.
        source: folder of its source files; for pyskl the file.
        quick: read the files of only 200 clips.
        keep_all: accept clips without a usable skeleton.
        workers: number of processes; None takes one per usable core.

    Raises:
        Exit: with code 1 if clips would be rejected or split sizes differ from the published ones; with code
            130 if the check is interrupted.
    """
    from autohier.cli.data.prepare_progress import ProgressLines
    from autohier.data.validate.report import check_dataset
    from autohier.errors import printable

    start_s = time.monotonic()
    with ProgressLines() as lines:

        def show(task: str, num_done: int, num_total: int) -> None:
            if time.monotonic() - start_s > _QUIET_S:
                lines.show_checked(task, num_done, num_total)

        try:
            reader = options.open()
            check = check_dataset(
                reader, source, quick=quick, keep_all=keep_all, num_workers=workers, on_progress=show
            )
        except KeyboardInterrupt:
            lines.say("interrupted; nothing was changed")
            raise typer.Exit(INTERRUPTED) from None
    for line in describe(reader, check, keep_all=keep_all):
        echo(printable(line))
    if not check.is_sound:
        raise typer.Exit(FOUND_FAULTS)


def describe(reader: DatasetReader, check: DatasetCheck, *, keep_all: bool) -> Iterator[str]:
    """Yield the lines of a report: counts, then FAULT and WARNING lines with their fixes, then the total."""
    from autohier.data.protocols import PROTOCOLS

    least, median, most = check.clips_per_class
    num_classes = plural(len(reader.class_names), "class", "classes")
    yield f"{reader.name} {reader.modality}: {plural(check.num_clips, 'clip')} of {num_classes}"
    yield f"clips per class: {least:,} to {most:,}, median {median:,g}"
    for level in check.levels:
        number = plural(level.num_superclasses, "superclass", "superclasses")
        yield f"superclasses of the dataset: {level.name}, {number}"
    origin = "published" if reader.name in PROTOCOLS else "listed"
    for split in check.splits:
        published = f" (as {origin})" if split.is_published else ""
        listed = f" / {split.validation:,} validation" if split.validation else ""
        unused = f", {split.neither:,} in neither" if split.neither else ""
        sizes = f"{split.train:,} train{listed} / {split.test:,} test clips"
        yield f"{split.protocol}: {sizes}{published}{unused}"
    yield from (text for text, hint in reader.warnings if not hint)
    if check.num_tried < check.num_clips:
        yield f"files of {check.num_tried} of {plural(check.num_clips, 'clip')} read, evenly spaced (--quick)"
    compared = check.duplicates
    yield (
        f"duplicates searched by size, then by content: {plural(compared.num_read, 'file')} of equal "
        f"size, of which {compared.num_bytes / 1e6:,.1f} MB were read"
    )
    if compared.num_skeletons:
        yield f"duplicates searched by skeletons: {plural(compared.num_skeletons, 'clip')}, rounded"
    if check.joined is not None:
        examples = f": {_some(check.joined)}" if check.joined else ""
        yield (
            f"tracks of a person that was lost and found again were joined in {len(check.joined):,} of "
            f"{plural(check.num_tried, 'clip')}{examples}"
        )
    yield from _describe_faults(reader, check, keep_all=keep_all)
    for text, hint in (*reader.warnings, *check.pose_warnings):
        if hint:
            yield f"WARNING: {text}"
            yield f"  fix: {hint}"
    yield from _describe_warnings(reader, check)
    at_least = "at least " if check.num_tried < check.num_clips else ""
    yield f"prepare would reject {at_least}{check.num_rejected:,} of {plural(check.num_clips, 'clip')}"


def _describe_faults(reader: DatasetReader, check: DatasetCheck, *, keep_all: bool) -> Iterator[str]:
    from autohier.data.protocols import PROTOCOLS

    is_kept = keep_all and reader.channels > 0
    fix = "fetch the missing clips, or remove duplicate and foreign ones"
    if reader.name not in PROTOCOLS:
        fix = "add the listed clips that are missing, or remove them from the lists"
    for finding in check.split_findings:
        yield f"FAULT: {finding}"
        yield f"  fix: {fix}"
    for group in check.faults:
        level = "WARNING" if is_kept and group.kind == "skeleton" else "FAULT"
        yield f"{level}: {_have(group.num_clips)} a {group.kind} file that breaks a rule: {group.rule}"
        yield from (f"  {example}" for example in group.examples)
        yield f"  fix: {group.hint}"
    if check.without_skeleton:
        level = "WARNING" if is_kept or check.is_published_without else "FAULT"
        yield f"{level}: {_have(len(check.without_skeleton))} no skeleton file"
        yield f"  {_some(check.without_skeleton)}"
        rest = _without_skeletons(reader, is_kept=is_kept)
        get = "fetch the skeletons" if reader.name in PROTOCOLS else "find them with autohier poses"
        yield f"  fix: {rest if rest.startswith('none') else f'{get}, or {rest}'}"
    if check.listed_missing:
        yield (
            f"WARNING: {_have(len(check.listed_missing))} no usable skeleton, as the dataset's authors list "
            f"{'it' if len(check.listed_missing) == 1 else 'them'}"
        )
        yield f"  {_some(check.listed_missing)}"
        yield f"  fix: {_without_skeletons(reader, is_kept=is_kept)}"


def _without_skeletons(reader: DatasetReader, *, is_kept: bool) -> str:
    """Return the fix for clips that have no skeleton and will get none."""
    if is_kept:
        return "none needed, such clips are kept uncropped"
    if reader.channels:
        return "keep such clips uncropped with --keep-all; --no-crop leaves all clips uncropped"
    return "none needed, prepare rejects such clips"


def _describe_warnings(reader: DatasetReader, check: DatasetCheck) -> Iterator[str]:
    if check.empty_classes:
        have = plural(len(check.empty_classes), "class has", "classes have")
        yield f"WARNING: {have} no clips: {_some(check.empty_classes)}"
        yield "  fix: fetch their clips; to search with fewer classes, prepare a custom dataset"
    for split in check.splits:
        if not (split.train and split.test):
            yield f"WARNING: no {'test' if split.train else 'training'} clips under {split.protocol}"
            yield "  fix: add clips, or mark test clips in a table or in lists; sweeps need both"
        yield from _describe_both_sides(split)
        if split.untrained:
            names = tuple(reader.class_names[label] for label in split.untrained)
            yield (
                f"WARNING: {plural(len(names), 'class has', 'classes have')} test clips but no training "
                f"clips under {split.protocol}: {_some(names)}"
            )
            yield "  fix: move some of their clips to training, or remove them: no network can learn them"
    yield from _describe_duplicates(check.duplicates.found)
    if check.unequal:
        examples = tuple(f"{one.clip_id} ({one.skeleton} instead of {one.video})" for one in check.unequal)
        yield (
            f"WARNING: {_have(len(examples))} poses for another number of frames than the video has: "
            f"{_some(examples)}"
        )
        yield "  fix: extract the poses from these videos again; prepare keeps such clips unchanged"
    for used, *others in check.same_names:
        yield f"WARNING: {1 + len(others)} files have the same name: {used} is used"
        yield from (f"  {path} is ignored" for path in others[:_NUM_EXAMPLES])
        yield "  fix: remove the wrong ones"


def _describe_duplicates(found: Sequence[SameContent]) -> Iterator[str]:
    for same in found[:_NUM_EXAMPLES]:
        across = f", in both training and test under {', '.join(same.across)}" if same.across else ""
        yield f"WARNING: {len(same.clip_ids)} clips have equal content{across}: {_some(same.clip_ids)}"
        yield from (f"  {path}" for path in same.paths[:_NUM_EXAMPLES])
        rest = "fetch the others again" if same.paths else "remove the others"
        fix = f"keep the one with the right name, and {rest}"
        yield f"  fix: {fix}, or search with --drop-duplicates" if same.across else f"  fix: {fix}"
    if len(found) > _NUM_EXAMPLES:
        crossing = sum(bool(same.across) for same in found)
        yield (
            f"WARNING: equal content in {len(found):,} groups of clips in all, {crossing:,} of them in both "
            "training and test"
        )


def _describe_both_sides(split: SplitCheck) -> Iterator[str]:
    if split.on_both_sides:
        yield (
            f"WARNING: {plural(len(split.on_both_sides), f'{split.column} is', f'{split.column}s are')} "
            f"in both training and test under {split.protocol}: {_some(tuple(map(str, split.on_both_sides)))}"
        )
        yield f"  fix: assign each {split.column} to one of them, unless the protocol intends this"


def _have(num_clips: int) -> str:
    return plural(num_clips, "clip has", "clips have")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NUM_EXAMPLES])
    return f"{shown}, ..." if len(names) > _NUM_EXAMPLES else shown
