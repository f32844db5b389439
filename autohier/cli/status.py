"""``autohier status SWEEP``: where a sweep stands and what it found so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder, SweepName

if TYPE_CHECKING:
    from autohier.settings.sweep import SweepPlan


def status(
    sweep: SweepName,
    out: OutFolder = DEFAULT_OUT,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows of the leaderboard; all by default.")] = None,
) -> None:
    """Print a sweep's state, leaderboard, best setting and test reading."""
    from autohier.cli.driving import open_console, resume_command
    from autohier.records.reader import read_records
    from autohier.reports.agreement import agreement_text
    from autohier.reports.leaderboard import report
    from autohier.reports.progress import progress_text
    from autohier.sweep.folder import find_sweep
    from autohier.sweep.lock import driver_of

    folder = find_sweep(sweep, out)
    plan, provenance = folder.read_plan()
    records = read_records(folder.records)
    console = open_console()
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


def _known_levels(plan: SweepPlan) -> dict[int, tuple[int, ...]]:
    """The superclasses that come with the sweep's data; none where these are not on this machine."""
    from autohier.data.levels import assignments_by_count
    from autohier.data.store.manifest import Manifest, load_record
    from autohier.data.store.paths import MANIFEST, store_folder

    folder = store_folder(Path(plan.data_folder), plan.space.dataset, plan.space.clips.modality)
    manifest = load_record(Manifest, folder / MANIFEST)
    return {} if manifest is None else assignments_by_count(manifest.levels)
