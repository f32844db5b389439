"""``autohier evaluate MODEL``: measure a fusion or a finished trial on one split."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, DeviceName, GivenData, GivenOut, GivenWeights, NumThreads


class SplitName(StrEnum):
    """Splits that a model can be evaluated on."""

    test = "test"
    validation = "validation"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Fusion (name or folder), SWEEP (its best trial) or SWEEP:TRIAL."
        ),
    ],
    split: Annotated[SplitName, typer.Option(help="Split to evaluate on.")] = SplitName.test,
    *,
    refit: Annotated[
        bool | None,
        typer.Option(
            "--refit/--no-refit",
            help="Whether to evaluate networks trained on all training clips; by default yes on the test "
            "split, unless the validation clips come from it.",
        ),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV file to write, with the prediction of each clip.")
    ] = None,
    data: GivenData = None,
    out: GivenOut = None,
    pretrained: GivenWeights = None,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Print a model's accuracy on a split; test results are also recorded.

    Every test result is kept. A later evaluation warns if it gives another number, or if other models were
    tested before, as a model chosen by test accuracy is biased.
    """
    from autohier.cli.console_callback import member_opener
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.deploy.prediction_table import write_evaluated
    from autohier.files import check_new_file
    from autohier.fusion.evaluate import evaluate_model, find_model, save_test_results
    from autohier.fusion.members import class_names
    from autohier.reports.evaluations import earlier_lines
    from autohier.reports.fusion import fusion_report
    from autohier.sweep.places import GivenFolders

    if predictions is not None:
        check_new_file(predictions, option="--predictions")
    found = find_model(model, out or DEFAULT_OUT, GivenFolders(data, out, pretrained))
    refitted = found.refits(split.value, refit)
    console = open_console()
    opener = member_opener(console, device, threads)
    fused = evaluate_model(found, split.value, refitted=refitted, opener=opener, log=console.print)
    names = [member.name for member in found.members]
    title = f"{model} on {split.value} clips{', refit on all training clips' if refitted else ''}"
    pools_folds = split is SplitName.validation and any(
        member.config.protocol.validation == "folds" for member in found.members
    )
    classes = class_names(found.members[0])
    console.print(fusion_report(fused, names, classes, title=title, pools_folds=pools_folds))
    if predictions is not None:
        write_evaluated(predictions, fused.predictions, classes)
        console.print(f"predictions written to {predictions}", soft_wrap=True)
    if split is SplitName.test:
        recorded = save_test_results(found, fused, refitted=refitted)
        console.print(f"recorded in {found.records}", soft_wrap=True)
        for line in earlier_lines(recorded.result, recorded.earlier):
            console.print(line)
