"""``autohier check SPACE``: what a sweep of this space would draw and read, before anything is paid."""

from __future__ import annotations

import math

import typer

from autohier.cli.options import DEFAULT_DATA, DataFolder, Overrides, SpaceName


def check(space: SpaceName, data: DataFolder = DEFAULT_DATA, overrides: Overrides = None) -> None:
    """Check a space, and the clips it would read where they are prepared."""
    from autohier.data.store.paths import store_folder
    from autohier.settings.loading import load_space

    loaded = load_space(space, overrides or ())
    search = loaded.search
    tuples = math.comb(len(loaded.allowed_counts), search.levels)
    tables = len(search.weight_ratios) * len(search.scopes) * len(search.ratios) * (search.max_passes + 1)
    epochs = loaded.pass_1.epochs + loaded.pass_2.epochs + search.max_passes * loaded.pruning.epochs
    typer.echo(f"{loaded.name}: {loaded.description}")
    typer.echo(f"protocol: {loaded.protocol.name}, validation {loaded.protocol.validation}")
    typer.echo(f"superclass counts: {tuples} tuples of {search.levels} from {list(loaded.allowed_counts)}")
    typer.echo(f"settings in all: {tuples * tables:,}; known ones tried first: {len(loaded.known)}")
    typer.echo(f"epochs of one setting: at most {epochs}, of which {loaded.pass_1.epochs} are shared by all")
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
    split = trial.feed.split
    typer.echo(
        f"clips: {len(split.train)} train, {len(split.validation)} validate "
        f"(held out {list(trial.basis.protocol.held_out or ())}), {len(split.test)} test"
    )
