"""``autohier status SWEEP``: where a sweep stands and what it found so far; of several, the mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.settings.sweep import SweepPlan
    from autohier.sweep.folder import SweepFolder


def status(
    sweeps: Annotated[
        list[str],
        typer.Argument(metavar="SWEEP...", help="A sweep's name, or its folder; several are averaged."),
    ],
    out: OutFolder = DEFAULT_OUT,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows of the leaderboard; all by default.")] = None,
) -> None:
    """Print a sweep's state, leaderboard, best setting and test reading.

    Of several sweeps, each under another protocol of one dataset, print the test accuracies and their mean.
    """
    from autohier.cli.driving import open_console
    from autohier.sweep.folder import find_sweep

    folders = [find_sweep(sweep, out) for sweep in sweeps]
    if len(folders) == 1:
        _tell_one(folders[0], open_console(), limit)
    else:
        _tell_mean(folders, open_console())


def _tell_one(folder: SweepFolder, console: Console, limit: int | None) -> None:
    from autohier.cli.driving import resume_command
    from autohier.records.reader import read_records
    from autohier.reports.agreement import agreement_text
    from autohier.reports.leaderboard import report
    from autohier.reports.progress import progress_text
    from autohier.sweep.lock import driver_of

    plan, provenance = folder.read_plan()
    records = read_records(folder.records)
    driver = driver_of(folder.lock_file)
    console.print(
        f"sweep {plan.name} of {plan.space.name}, started {provenance.created_at}, "
        + (f"driven by {driver}" if driver else "not running")
    )
    console.print(progress_text(records, target=plan.trials))
    console.print(report(records, limit=limit))
    levels = _known_levels(plan)
    if levels:
        console.print(agreement_text(records, levels))
    if driver is None:
        console.print(f"continue: {resume_command(folder)}", soft_wrap=True)


def _tell_mean(folders: Sequence[SweepFolder], console: Console) -> None:
    from autohier.records.reader import read_records
    from autohier.reports.protocols import protocol_table, read_winners

    plans = [folder.read_plan()[0] for folder in folders]
    records = [read_records(folder.records) for folder in folders]
    names = [plan.name for plan in plans]
    console.print(protocol_table(read_winners(list(zip(names, records, strict=True)))))
    first, *others = (plan.space.model_dump(exclude={"name", "description", "protocol"}) for plan in plans)
    differing = [key for key in first if any(other[key] != first[key] for other in others)]
    if differing:
        console.print(f"these sweeps differ in more than their protocol: in {', '.join(differing)}")


def _known_levels(plan: SweepPlan) -> dict[int, tuple[int, ...]]:
    """The superclasses that come with the sweep's data; none where it used them or they are elsewhere."""
    from autohier.data.levels import assignments_by_count
    from autohier.data.store.manifest import Manifest, load_record
    from autohier.data.store.paths import MANIFEST, store_folder

    if plan.space.hierarchy == "given":
        return {}
    folder = store_folder(Path(plan.data_folder), plan.space.dataset, plan.space.clips.modality)
    manifest = load_record(Manifest, folder / MANIFEST)
    return {} if manifest is None else assignments_by_count(manifest.levels)
