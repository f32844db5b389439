"""``autohier predict MODEL CLIP...``: classify new clips with an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from autohier.cli.options import DeviceName, NumThreads


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that autohier export wrote.")],
    clips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CLIP...",
            help="Videos, or pose files if the model reads skeletons alone; or a folder of these.",
        ),
    ] = None,
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="In place of clips: folder in the layout of the model's dataset, whose classes are known; "
            "prints the accuracy, too.",
        ),
    ] = None,
    poses: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with a pose file of each video's name, e.g. CLIP.npz."),
    ] = None,
    whole_frame: Annotated[
        bool,
        typer.Option(
            "--whole-frame",
            help="Read videos without poses uncropped.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file to write, a row per clip."),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Number of classes per clip.")] = 5,
    runtime: Annotated[
        Literal["auto", "torch", "onnx"],
        typer.Option(
            help="What computes: torch, or onnxruntime (onnx), which needs no torch but the ONNX programs of "
            "the model; by default torch if it is installed.",
        ),
    ] = "auto",
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Classify new clips with an exported model."""
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.deploy.new_clips import find_files
    from autohier.deploy.prediction import LoadedModel, Prediction
    from autohier.deploy.prediction_table import accuracy_line, prediction_lines, write_predictions
    from autohier.errors import InputError
    from autohier.files import check_new_file
    from autohier.machine import usable_cores
    from autohier.text import plural

    if (source is None) == (not clips):
        raise InputError("predict takes clips or a folder of a dataset", hint="name files, or --source DIR")
    if source is not None and (poses is not None or whole_frame):
        raise InputError("--source finds the poses itself", hint="leave out --poses and --whole-frame")
    if out is not None:
        check_new_file(out, option="--out")
    loaded = LoadedModel(model, runtime=runtime, device=device, num_threads=threads or usable_cores())
    console = open_console()
    with console.status("predicting") as status:

        def report(num_done: int) -> None:
            status.update(f"predicted {plural(num_done, 'clip')}")

        true: dict[str, str] = {}
        if source is not None:
            true, predictions = loaded.predict_source(source, top=top, on_progress=report)
        else:
            predictions = loaded.predict_files(
                find_files(clips or []), poses=poses, whole_frame=whole_frame, top=top, on_progress=report
            )
        found = list(predictions)
    for line in prediction_lines(found):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if true:
        console.print(accuracy_line(found, true), soft_wrap=True, highlight=False)
    if out is not None:
        write_predictions(out, found, true)
        console.print(f"written to {out}", soft_wrap=True)
    if not any(isinstance(each, Prediction) for each in found):
        raise InputError("at least one clip must be readable", got=f"none of {len(found):,}")
