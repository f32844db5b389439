"""``autohier check``: what a sweep of a space would draw and read, or what a dataset's own files hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.check_source import check_source
from autohier.cli.options import DEFAULT_DATA, DataFolder, Overrides
from autohier.errors import InputError, told_of

if TYPE_CHECKING:
    from autohier.data.levels import GivenLevel
    from autohier.data.store.reader import ClipStore
    from autohier.settings.choice import Choice
    from autohier.settings.clips import ClipSettings
    from autohier.settings.space import Space

_MOST_LOOKED_AT = 200
"""Clips, about, whose persons are counted."""
_MOST_NAMED = 12
"""More subjects that validate are only counted: where none is known, each clip is its own."""


def check(
    name_or_space: Annotated[
        str,
        typer.Argument(
            metavar="SPACE|DATASET",
            help="A shipped space or a TOML file; with --source a dataset as prepare takes it.",
        ),
    ],
    *,
    data: DataFolder = DEFAULT_DATA,
    overrides: Overrides = None,
    source: Annotated[
        Path | None, typer.Option(help="Check a dataset's own files in this folder; for pyskl the file.")
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="With --source: rgb, depth or skeleton, as prepare takes it.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="With --source: what a pyskl or custom dataset is called.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --source: read the files of 200 clips only.")
    ] = False,
    keep_all: Annotated[
        bool,
        typer.Option("--keep-all", help="With --source: as prepare takes it; skeletons may be missing."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="With --source: processes; one per core by default.")
    ] = None,
) -> None:
    """Check a space and its prepared clips, or with --source a dataset's own files before preparing.

    With --source it ends with 1 where prepare would reject a clip that the published sizes do not leave out,
    or where split sizes differ from the published ones; what else is odd is a warning, and ends with 0.
    """
    if source is None:
        if modality or name or quick or keep_all or workers is not None:
            raise InputError(
                "--modality, --name, --quick, --keep-all and --workers look at a dataset's own files",
                remedy="add --source DIR",
            )
        _check_space(name_or_space, data, overrides)
        return
    if overrides:
        raise InputError("--set changes a space, and --source checks a dataset", remedy="leave out one")
    check_source(
        name_or_space, source, modality=modality, name=name, quick=quick, keep_all=keep_all, workers=workers
    )


def _check_space(space: str, data: Path, overrides: list[str] | None) -> None:
    from autohier.data.store.paths import store_folder
    from autohier.settings.loading import load_space

    loaded = load_space(space, overrides or ())
    loaded.require_different_variants()
    search = loaded.search
    tuples = math.comb(len(loaded.allowed_counts), search.levels)
    tables = len(search.weight_ratios) * len(search.scopes) * len(search.ratios) * (search.max_passes + 1)
    tables *= max(1, len(search.variants)) * math.prod(map(len, search.settings.values()))
    typer.echo(f"{loaded.name}: {loaded.description}")
    typer.echo(f"protocol: {loaded.protocol.name}, validation {loaded.protocol.validation}")
    typer.echo(f"superclass counts: {tuples} tuples of {search.levels} from {list(loaded.allowed_counts)}")
    typer.echo(f"settings in all: {tuples * tables:,}; known ones tried first: {len(loaded.known)}")
    _tell_recipes(loaded)
    _tell_epochs(loaded)
    folder = store_folder(data, loaded.dataset, loaded.clips.modality)
    if not folder.is_dir():
        typer.echo(f"clips: not prepared yet, expected in {folder}")
        return
    from autohier.core.stages.given import require_drawable
    from autohier.core.stages.opening import open_trial
    from autohier.core.stages.reporter import Reporters
    from autohier.core.stages.store import StageStore
    from autohier.data.store.reader import ClipStore

    clips = ClipStore.open(folder)
    stages, reporter = StageStore(folder), Reporters()
    for of, flat in loaded.networks().items():
        setting = loaded.setting(flat, seed=0)
        with told_of(of):
            trial = open_trial(setting, clips=clips, stages=stages, reporter=reporter, device="cpu")
            millions = trial.check_network(search.levels) / 1e6
        name, whose = setting.recognizer.name, f" of {of}" if of else ""
        typer.echo(f"recognizer{whose}: {name}, {millions:.3f} M parameters")
        _tell_persons(setting.clips, clips, whose)
        if clips.manifest.sided and setting.clips.flip:
            typer.echo(
                f"WARNING: clips.flip{whose} mirrors clips whose classes may have a side\n"
                "  mend: --set clips.flip=false, unless left and right are one class"
            )
    _tell_levels(loaded, clips.manifest.levels)
    require_drawable(loaded, clips.manifest.levels)
    for fold in trial.folds(Reporters()) or [trial]:
        split, protocol = fold.feed.split, fold.basis.protocol
        whose = f"held out {_held_out_text(protocol.held_out)}" if protocol.held_out else "they test too"
        typer.echo(
            f"clips: {len(split.train)} train, {len(split.validation)} validate ({whose}), "
            f"{len(split.test)} test"
        )


def _tell_persons(settings: ClipSettings, clips: ClipStore, whose: str) -> None:
    if settings.form == "frames":
        return
    rows = range(0, len(clips), max(1, len(clips) // _MOST_LOOKED_AT))
    persons = [clips.skeleton(row).num_shown for row in rows]
    if num_more := sum(number > settings.num_persons for number in persons):
        typer.echo(
            f"WARNING: {num_more} of {len(rows)} clips looked at show up to {max(persons)} persons; "
            f"clips.num_persons{whose} reads {settings.num_persons}\n"
            f"  mend: --set clips.num_persons={max(persons)}, unless the others do not matter"
        )


def _tell_levels(space: Space, levels: Sequence[GivenLevel]) -> None:
    from autohier.core.stages.given import drawn_levels

    counts, drawn = list(space.allowed_counts), drawn_levels(levels, space.allowed_counts)
    for level in levels:
        use = ""
        if space.hierarchy == "given":
            why_not = "another has as many" if level.num_superclasses in counts else f"counts are {counts}"
            use = ", drawn" if level in drawn else f", never drawn: {why_not}"
        number = f"{level.num_superclasses} of them"
        typer.echo(f"superclasses that come with the data: {level.name}, {number}{use}")


def _held_out_text(held_out: tuple[int, ...]) -> str:
    if len(held_out) <= _MOST_NAMED:
        return str(list(held_out))
    return f"{len(held_out)} of them, {held_out[0]} to {held_out[-1]}"


def _tell_recipes(space: Space) -> None:
    from autohier.settings.overrides import value_text

    for name, overrides in space.search.variants.items():
        changes = ", ".join(f"{setting} {value_text(value)}" for setting, value in overrides)
        typer.echo(f"variant {name}: {changes or 'the space as it is'}")
    for name, table in space.search.settings.items():
        typer.echo(f"searched setting {name}: {', '.join(map(value_text, table))}")


def _tell_epochs(space: Space) -> None:
    variants: dict[tuple[int, int], list[str]] = {}
    for flat in space.flat_choices():
        pass_1 = _most_epochs(space, flat, "pass_1")
        pruning = space.search.max_passes * _most_epochs(space, flat, "pruning")
        epochs = pass_1 + _most_epochs(space, flat, "pass_2") + pruning
        variants.setdefault((epochs, pass_1), []).append(flat.variant)
    by = "by all" if space.shares_pass_1 else "where pass 1 is the same"
    for (epochs, pass_1), names in variants.items():
        of = f" of {', '.join(names)}" if len(variants) > 1 else ""
        typer.echo(f"epochs of one setting{of}: at most {epochs}, of which {pass_1} are shared {by}")


def _most_epochs(space: Space, flat: Choice, part: str) -> int:
    own = getattr(space.varied(flat), part).epochs
    return space.num_folds * int(max(space.search.settings.get(f"{part}.epochs", (own,))))
