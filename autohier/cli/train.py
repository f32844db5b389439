"""``autohier train SPACE``: one setting, without Ray and without a study."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    DataFolder,
    DeviceName,
    NumThreads,
    OutFolder,
    Overrides,
    SpaceName,
)


def train(
    space: SpaceName,
    data: DataFolder = DEFAULT_DATA,
    out: OutFolder = DEFAULT_OUT,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: DeviceName = "auto",
    threads: NumThreads = None,
    test: Annotated[
        bool, typer.Option("--test", help="Refit on all training clips and read the test split.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Run one setting: the space's first known one, changed by --set.

    Keys with a dot change the space (pass_1.epochs=5), whatever its variants say; the others are the
    setting's own: superclasses=2/6/20, weight_ratio=0.5, scope=by-layer, ratio=0.1, passes=4, and in a space
    that has some variant=bone.
    """
    import os

    from autohier.cli.computing import ConsoleReporter
    from autohier.cli.driving import open_console
    from autohier.core.stages.given import require_drawn
    from autohier.core.stages.opening import open_trial
    from autohier.core.stages.reporter import Reporters
    from autohier.core.stages.store import StageStore
    from autohier.core.trial import read_tests, run_trial
    from autohier.data.store.paths import store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.settings.loading import load_choice, load_space, split_overrides
    from autohier.sweep.folder import stage_folder

    own, general = split_overrides(overrides or ())
    loaded = load_space(space, general)
    setting = loaded.setting(load_choice(loaded, own), seed=seed)
    console = open_console()
    trial = open_trial(
        setting,
        clips=ClipStore.open(store_folder(data, loaded.dataset, loaded.clips.modality)),
        stages=StageStore(stage_folder(out)),
        reporter=Reporters(ConsoleReporter(console)),
        device=device,
        num_threads=threads or os.cpu_count() or 1,
    )
    require_drawn(setting, trial.context.clips.manifest.levels)
    trial.check_network(len(setting.choice.superclasses))
    trial.context.store.folder.mkdir(parents=True, exist_ok=True)
    outcome = run_trial(trial)
    kept = outcome.kept
    dense = outcome.chain[0].cost
    console.print(
        f"kept {kept.label}: validation {kept.accuracy:.2%} "
        f"(pass 1 {outcome.pass_1.accuracy:.2%}, pass 2 {outcome.chain[0].accuracy:.2%}), "
        f"parameters {dense.parameters:,} -> {kept.cost.parameters:,}, "
        f"multiply-adds {dense.multiply_adds:,} -> {kept.cost.multiply_adds:,}"
    )
    if test:
        console.print(f"reading the test split for the trial: {setting.protocol.tested}")
        for told, evaluation in read_tests(trial, outcome):
            console.print(f"test, {told}: {evaluation.accuracy:.2%} of {evaluation.num_clips} clips")
