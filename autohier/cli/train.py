"""``autohier train SPACE``: one setting, without Ray and without a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataFolder, OutFolder, Overrides, SpaceName

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.core.stages.result import StageKind, StageResult
    from autohier.core.training.metrics import EpochMetrics


def train(
    space: SpaceName,
    data: DataFolder = DEFAULT_DATA,
    out: OutFolder = DEFAULT_OUT,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="All cores by default.")] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Refit on all training clips and read the test split.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Run one setting: the space's first known one, changed by --set.

    Keys with a dot change the space (pass_1.epochs=5); the others are the setting's own:
    superclasses=2/6/20, weight_ratio=0.5, scope=by-layer, ratio=0.1, passes=4.
    """
    import os

    from autohier.cli.driving import open_console
    from autohier.core.stages.opening import open_trial
    from autohier.core.stages.reporter import Reporters
    from autohier.core.stages.store import StageStore
    from autohier.core.trial import read_tests, run_trial
    from autohier.data.store.paths import store_folder
    from autohier.data.store.reader import ClipStore
    from autohier.settings.choice import Choice
    from autohier.settings.loading import load_choice, load_space
    from autohier.sweep.folder import stage_folder

    own = [text for text in overrides or () if text.partition("=")[0].strip() in Choice.model_fields]
    loaded = load_space(space, [text for text in overrides or () if text not in own])
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
        console.print("reading the test split; with clean validation also refit on all training clips")
        for told, evaluation in read_tests(trial, outcome):
            console.print(f"test, {told}: {evaluation.accuracy:.2%} of {evaluation.num_clips} clips")


class ConsoleReporter:
    """Prints a line per epoch and per stage. Implements core.stages.reporter.Reporter."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""
        from autohier.core.stages.result import stage_label

        self._console.print(f"{stage_label(kind, pass_index)}: waits for {holder}")

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        from autohier.core.stages.result import stage_label

        if not reused:
            self._console.print(
                f"{stage_label(kind, pass_index)}, epoch {metrics.epoch + 1}: loss {metrics.loss:.3f}, "
                f"validation {metrics.accuracy:.2%}, {metrics.num_clips / metrics.seconds:.0f} clips/s"
            )

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        found = ", found in the stage store" if result.reused else f", {result.seconds:.0f} s"
        self._console.print(f"{result.label}: validation {result.accuracy:.2%}{found}")
