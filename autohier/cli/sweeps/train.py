"""``autohier train SPACE``: run one config, without a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    MAX_SEED,
    ClipsPerClass,
    DataFolder,
    DeviceName,
    DropDuplicates,
    NumThreads,
    OutFolder,
    Overrides,
    SpaceName,
    StartOption,
    with_protocol,
)
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.config.trial.trial_config import TrialConfig
    from autohier.core.stages.result import StageResult
    from autohier.core.stages.store.stage_store import StageStore


def train(
    space: SpaceName,
    data: DataFolder = DEFAULT_DATA,
    out: OutFolder = DEFAULT_OUT,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=MAX_SEED, help="Seed of the trial.")] = 0,
    device: DeviceName = "auto",
    threads: NumThreads = None,
    test: Annotated[
        bool, typer.Option("--test", help="Also refit on all training clips and evaluate on the test split.")
    ] = False,
    drop_duplicates: DropDuplicates = False,
    clips_per_class: ClipsPerClass = None,
    start: StartOption = None,
    overrides: Overrides = None,
) -> None:
    """Run one config: the first initial config of a search space, changed by --set.

    Keys with a dot override the search space and its variants (pass_1.epochs=5). The others are
    hyperparameters: superclasses=2/6/20, weight_ratio=0.5, scope=layerwise, ratio=0.1, passes=4, and
    variant=bone if the space has variants.
    """
    from autohier.cli.console_callback import ConsoleCallback
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.config.search.loading import load_params, load_space, split_overrides
    from autohier.core.recipes.check import check_recipe
    from autohier.core.stages.callbacks import CallbackList
    from autohier.core.stages.checks.space_warnings import space_warnings
    from autohier.core.stages.setup.given_superclasses import require_given_level
    from autohier.core.stages.setup.trial_setup import open_trial
    from autohier.core.stages.store.stage_store import StageStore
    from autohier.core.trial import evaluate_on_test, run_trial
    from autohier.data.store.paths import store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.machine import machine_share, usable_cores
    from autohier.reports.evaluations.levels import levels_text, pathways_text
    from autohier.sweep.paths import stage_folder
    from autohier.sweep.plans.starts import resolve_starts

    own, general = split_overrides(
        with_protocol(
            overrides, drop_duplicates=drop_duplicates, clips_per_class=clips_per_class, start=start
        )
    )
    loaded = resolve_starts(load_space(space, general), out)
    config = loaded.config(load_params(loaded, own), seed=seed)
    check_recipe(config)
    console = open_console()
    trial = open_trial(
        config,
        clips=ClipStore.open(store_folder(data, loaded.dataset, loaded.clips.modality)),
        stages=StageStore(stage_folder(out)),
        callback=CallbackList(),
        device=device,
        num_threads=threads or usable_cores(),
    )
    trial = trial.with_callback(ConsoleCallback(console, trial.config))
    clips = trial.context.clips
    require_given_level(config, clips.manifest.levels)
    for warning in space_warnings(
        loaded, clips.manifest, clips=clips, num_training=trial.num_training, params=config.params
    ):
        console.print(warning, soft_wrap=True)
    trial.check_network(len(config.params.superclasses), memory_bytes=machine_share().memory_bytes)
    for text in filter(None, (trial.describe_left_out(), trial.describe_start())):
        console.print(text, soft_wrap=True)
    trial.context.store.folder.mkdir(parents=True, exist_ok=True)
    console.print(f"config: {describe_config(trial.config)}", soft_wrap=True)
    outcome = run_trial(trial)
    kept, pass_1, pass_2 = outcome.kept, outcome.pass_1, outcome.chain[0]
    dense = pass_2.cost
    console.print(
        f"kept {kept.label}: validation accuracy {kept.accuracy:.2%} "
        f"({pass_1.label} {pass_1.accuracy:.2%}, {pass_2.label} {pass_2.accuracy:.2%}), "
        f"parameters {dense.parameters:,} -> {kept.cost.parameters:,}, "
        f"multiply-adds {dense.multiply_adds:,} -> {kept.cost.multiply_adds:,}"
    )
    counts = trial.config.params.counts_text
    console.print(f"  by level: {levels_text(kept, counts)}", soft_wrap=True)
    if pathways := pathways_text(kept):
        console.print(f"  by pathway: {pathways}", soft_wrap=True)
    for line in _result_lines(trial.context.store, kept, out):
        console.print(line, soft_wrap=True)
    if test:
        console.print(f"evaluating on the test split: {trial.config.protocol.tested}")
        for stage, evaluation in evaluate_on_test(trial, outcome):
            console.print(
                f"test accuracy of {stage}: {evaluation.accuracy:.2%} of "
                f"{plural(evaluation.num_clips, 'clip')}, top-5 {evaluation.stack_top5_accuracies[-1]:.2%}, "
                f"mean class {evaluation.stack_mean_class_accuracies[-1]:.2%}"
            )
            if len(evaluation.stack_accuracies) > 1:
                console.print(f"  by level: {levels_text(evaluation, counts)}", soft_wrap=True)
            if pathways := pathways_text(evaluation):
                console.print(f"  by pathway: {pathways}", soft_wrap=True)
        console.print("printed only, not recorded; 'autohier search' and 'autohier evaluate' record theirs")


def describe_config(config: TrialConfig) -> str:
    """Return what a config trains, in one line."""
    protocol = config.protocol
    return (
        f"{config.params.settings_text}, seed {config.seed}; "
        f"{config.recognizer.name} on {config.clips.input} of {config.dataset}; "
        f"protocol {protocol.name}, validation {protocol.validation}"
    )


def _result_lines(store: StageStore, kept: StageResult, out: Path) -> list[str]:
    """Return where the kept networks lie, and the command that writes one as a file."""
    networks = plural(len(kept.keys), "network")
    option = "" if out == DEFAULT_OUT else f" --out {out}"
    return [
        f"result: {networks} of {kept.label} in {store.folder}",
        f"export: autohier compact {kept.keys[0][:12]} --file recognizer.safetensors{option}",
    ]
