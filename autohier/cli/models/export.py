"""``autohier export MODEL --out DIR``: write a trial or a fusion as a model that predicts new clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, DeviceName, GivenData, GivenWeights, NumThreads


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Fusion (name or folder), SWEEP (its best trial), SWEEP:TRIAL or "
            "SWEEP:TRIAL@PASS (e.g. @prune-1).",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the model; it must not exist.")],
    formats: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Programs to write besides the weights, separated by commas: pt2 (torch.export) and onnx, "
            "which needs the extra deploy; or none.",
        ),
    ] = "pt2,onnx",
    refit: Annotated[
        bool | None,
        typer.Option(
            "--refit/--no-refit",
            help="Whether to export networks trained on all training clips; by default yes, unless the "
            "validation clips come from the test split.",
        ),
    ] = None,
    multiple: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Keep a multiple of N filters per layer; 16 may run faster."),
    ] = 1,
    sweeps: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the sweeps and of their stage store.")
    ] = DEFAULT_OUT,
    data: GivenData = None,
    pretrained: GivenWeights = None,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Write a model as a folder that predicts new clips: weights, description, model card, programs."""
    from autohier.cli.console_callback import member_opener
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.deploy.export import export_model
    from autohier.deploy.networks.exported_programs import parse_programs
    from autohier.fusion.evaluate import find_model
    from autohier.sweep.relocation import GivenFolders
    from autohier.text import shell_words

    programs = parse_programs(formats)
    found = find_model(model, sweeps, GivenFolders(data, None, pretrained))
    console = open_console()
    exported = export_model(
        found,
        out,
        refitted=found.refits("test", refit),
        opener=member_opener(console, device, threads),
        log=console.print,
        programs=programs,
        multiple=multiple,
    )
    test = exported.test_result
    result = test.text if test else "not evaluated"
    console.print(f"{exported.name}: {result} on the test split", soft_wrap=True)
    command = shell_words("autohier", "predict", out)
    console.print(f"written to {out}; next: {command} CLIP...", soft_wrap=True)
