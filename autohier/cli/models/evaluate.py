"""``autohier evaluate MODEL``: measure a model on one split, or on another prepared dataset."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autohier.cli.formats import JsonOutput
from autohier.cli.options import DeviceName, GivenOut, GivenWeights, NumThreads, OtherData

if TYPE_CHECKING:
    from autohier.cli.models.named_models import ModelRequest
    from autohier.core.training.metrics import Predictions
    from autohier.reports.evaluations.evaluated import EvaluatedModel


class SplitName(StrEnum):
    """Clips that a model can be evaluated on."""

    test = "test"
    validation = "validation"
    all = "all"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Fusion (name or folder), SWEEP (its best trial), SWEEP:TRIAL or SWEEP:TRIAL@PASS (e.g. "
            "@prune-1); with --data OTHER also the folder of an exported model.",
        ),
    ],
    split: Annotated[
        SplitName,
        typer.Option(help="Split to evaluate on. all: every clip of --data OTHER, also those that train."),
    ] = SplitName.test,
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
    as_json: JsonOutput = False,
    data: OtherData = None,
    out: GivenOut = None,
    pretrained: GivenWeights = None,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Print a model's accuracy on a split; test results are also recorded.

    Every test result is kept. A later evaluation warns if it gives another number, or if other models were
    tested before, as a model chosen by test accuracy is biased.

    With --data OTHER, the clips of another prepared dataset are evaluated, and nothing is recorded. Classes
    are matched by name. Of the same dataset, e.g. with poses of another source, the test clips are evaluated.
    """
    from autohier.cli.formats import print_rows
    from autohier.cli.models.named_models import ModelRequest
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.files import check_new_file
    from autohier.reports.evaluations.evaluated import (
        ClipPrediction,
        clip_predictions,
        write_clip_predictions,
    )

    if predictions is not None:
        check_new_file(predictions, option="--predictions")
    console = open_console(for_programs=as_json)
    request = ModelRequest(
        model, refit, tuple(data or ()), out, pretrained, device=device, threads=threads, console=console
    )
    measured = (_on_others if request.names_other_clips else _on_own)(request, split)
    rows = list(clip_predictions(measured.predictions, measured.classes, measured.heaviest))
    if predictions is not None:
        write_clip_predictions(predictions, rows)
        console.print(f"predictions written to {predictions}", soft_wrap=True)
    for line in measured.last_lines:
        console.print(line, soft_wrap=True)
    if as_json:
        print_rows({"evaluation": measured.row, "clips": rows}, ClipPrediction, rows, as_json=True)


@dataclass(frozen=True, slots=True)
class _Measured:
    """An evaluation whose report is printed."""

    row: EvaluatedModel
    classes: tuple[str, ...]
    predictions: Predictions
    heaviest: Predictions
    """Those of the network of the highest weight, with its superclasses."""
    last_lines: tuple[str, ...] = ()
    """Lines to print at the end."""


def _on_own(request: ModelRequest, split: SplitName) -> _Measured:
    """Evaluate a trial or a fusion on a split of its own clips, and record a test result."""
    from autohier.errors import InputError
    from autohier.fusion.evaluate import evaluate_model, save_test_results
    from autohier.fusion.members import class_names
    from autohier.reports.evaluations.evaluated import evaluated_model
    from autohier.reports.evaluations.test_results import earlier_lines
    from autohier.reports.fusion import fusion_report

    found = request.find()
    name: Literal["validation", "test"] = "validation" if split is SplitName.validation else "test"
    if split is SplitName.all:
        raise InputError("--split all is for the clips of --data OTHER", hint="leave it out")
    refitted = found.refits(name, request.refit)
    console, opener = request.console, request.opener()
    fused = evaluate_model(found, name, refitted=refitted, opener=opener, log=console.print)
    scope = f"{split} clips"
    title = f"{request.name} on {scope}{', refit on all training clips' if refitted else ''}"
    pools_folds = split is SplitName.validation and any(
        member.config.protocol.validation == "folds" for member in found.members
    )
    classes = class_names(found.members[0])
    names = [member.name for member in found.members]
    console.print(fusion_report(fused, names, classes, title=title, pools_folds=pools_folds))
    last_lines: tuple[str, ...] = ()
    is_test = split is SplitName.test
    if is_test:
        recorded = save_test_results(found, fused, refitted=refitted)
        last_lines = (
            f"recorded in {found.records}",
            *earlier_lines(recorded.result, recorded.earlier),
        )
    row = evaluated_model(
        fused.predictions,
        model=found.name if len(names) > 1 else names[0],
        clips=scope,
        refit=refitted,
        recorded=is_test,
    )
    return _Measured(row, classes, fused.predictions, fused.heaviest, last_lines)


def _on_others(request: ModelRequest, split: SplitName) -> _Measured:
    """Evaluate a model on the clips of other prepared datasets."""
    from autohier.deploy.measurements.other_clips import choose_clips
    from autohier.deploy.measurements.other_predictions import predict_others
    from autohier.errors import InputError
    from autohier.reports.evaluations.evaluated import evaluated_model
    from autohier.reports.evaluations.other_clips import other_lines, scope_text

    if split is SplitName.validation:
        raise InputError(
            "the validation split is that of the model's own clips",
            got="--data OTHER",
            hint="leave out --split, or write --split all",
        )
    model, stores = request.open_with_others()
    clips = [choose_clips(model, store, every_clip=split is SplitName.all) for store in stores]
    result = predict_others(model, clips)
    for line in other_lines(result, model.name, len(model.classes)):
        request.console.print(line, soft_wrap=True)
    row = evaluated_model(
        result.predictions,
        model=model.name,
        clips=scope_text(result.used),
        refit=model.is_refit,
        recorded=False,
    )
    return _Measured(row, model.classes, result.predictions, result.heaviest)
