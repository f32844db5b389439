"""``autohier check``: what a sweep of a space would draw and read, or what a dataset's own files hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.check_source import check_source
from autohier.cli.options import DEFAULT_DATA, DataFolder, Overrides
from autohier.errors import InputError


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
    search = loaded.search
    tuples = math.comb(len(loaded.allowed_counts), search.levels)
    tables = len(search.weight_ratios) * len(search.scopes) * len(search.ratios) * (search.max_passes + 1)
    folds, shared = loaded.num_folds, loaded.num_folds * loaded.pass_1.epochs
    epochs = shared + folds * (loaded.pass_2.epochs + search.max_passes * loaded.pruning.epochs)
    typer.echo(f"{loaded.name}: {loaded.description}")
    typer.echo(f"protocol: {loaded.protocol.name}, validation {loaded.protocol.validation}")
    typer.echo(f"superclass counts: {tuples} tuples of {search.levels} from {list(loaded.allowed_counts)}")
    typer.echo(f"settings in all: {tuples * tables:,}; known ones tried first: {len(loaded.known)}")
    typer.echo(f"epochs of one setting: at most {epochs}, of which {shared} are shared by all")
    folder = store_folder(data, loaded.dataset, loaded.clips.modality)
    if not folder.is_dir():
        typer.echo(f"clips: not prepared yet, expected in {folder}")
        return
    from autohier.core.stages.opening import open_trial
    from autohier.core.stages.reporter import Reporters
    from autohier.core.stages.store import StageStore
    from autohier.data.store.reader import ClipStore
    from autohier.settings.choice import FLAT_CHOICE

    setting = loaded.setting(FLAT_CHOICE, seed=0)
    clips = ClipStore.open(folder)
    trial = open_trial(setting, clips=clips, stages=StageStore(folder), reporter=Reporters(), device="cpu")
    typer.echo(
        f"recognizer: {loaded.recognizer.name}, {trial.check_network(search.levels) / 1e6:.3f} M parameters"
    )
    for level in clips.manifest.levels:
        typer.echo(f"superclasses that come with the data: {level.name}, {level.num_superclasses} of them")
    for fold in trial.folds(Reporters()) or [trial]:
        split, protocol = fold.feed.split, fold.basis.protocol
        whose = f"held out {list(protocol.held_out)}" if protocol.held_out else "they test too"
        typer.echo(
            f"clips: {len(split.train)} train, {len(split.validation)} validate ({whose}), "
            f"{len(split.test)} test"
        )
