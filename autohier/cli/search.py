"""``autohier search SPACE``: start a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autohier.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    FAILURES_IN_A_ROW,
    DataFolder,
    OutFolder,
    Overrides,
    Sampler,
    SpaceName,
    Stopping,
)


def search(
    space: SpaceName,
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = 32,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; the space's and the time by default.")
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    out: OutFolder = DEFAULT_OUT,
    sampler: Sampler = "tpe",
    stopping: Stopping = "halving",
    warm_from: Annotated[
        list[str] | None,
        typer.Option(help="A sweep of the same data whose results the new one is told; may be repeated."),
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time; as many as fit by default.")
    ] = None,
    cpus_per_trial: Annotated[
        float | None,
        typer.Option(help="Processor cores of a trial; by default 1, or a GPU's share."),
    ] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="Share of a GPU, e.g. 0.5; 1 where there is one.")
    ] = None,
    failures_in_a_row: Annotated[int, typer.Option(min=1, help=FAILURES_IN_A_ROW)] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the search and of every trial.")] = 0,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage URL; a journal file by default.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster; this machine by default.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Search a space for the best setting."""
    import uuid

    from autohier.cli.driving import drive_and_tell, time_name
    from autohier.errors import InputError
    from autohier.settings.frozen import validate
    from autohier.settings.loading import load_space
    from autohier.settings.sweep import SweepPlan
    from autohier.sweep.driver import check_plan
    from autohier.sweep.folder import find_sweep, free_folder, stage_folder
    from autohier.sweep.provenance import provenance
    from autohier.sweep.warming import results_of

    loaded = load_space(space, overrides or ())
    name = name or time_name(loaded.name)
    values = {
        "name": name,
        "study_name": f"{name}-{uuid.uuid4().hex[:8]}" if storage else name,
        "space": loaded,
        "trials": trials,
        "seed": seed,
        "sampler": sampler,
        "stopping": stopping,
        "warm_from": tuple(str(find_sweep(name, out).path.resolve()) for name in warm_from or ()),
        "storage": storage,
        "data_folder": str(data.resolve()),
        "stage_folder": str(stage_folder(out).resolve()),
        "parallel": parallel,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "failures_in_a_row": failures_in_a_row,
        "ray_address": ray_address,
    }
    plan = validate(SweepPlan, values, origin="search")
    folder = free_folder(plan.name, out)
    if loaded.dataset == "demo":
        _prepare_demo(data)
    plan = check_plan(plan)
    for path in plan.warm_from:
        results_of(Path(path), plan.space, plan.clips_fingerprint)
    folder.write_plan(plan, provenance())
    try:
        drive_and_tell(folder, plan)
    except InputError:
        folder.discard_unbegun()
        raise


def _prepare_demo(data: Path) -> None:
    """The demo is generated, so that a first search needs no data; a prepared one is left as it is."""
    from autohier.cli.prepare import prepare
    from autohier.data.store.paths import MANIFEST, store_folder

    if not (store_folder(data, "demo", None) / MANIFEST).is_file():
        typer.echo("demo is not prepared: generating and preparing it first")
        prepare("demo", data=data)
