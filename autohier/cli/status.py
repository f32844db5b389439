"""``autohier status SWEEP``: where a sweep stands and what it found so far."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder, SweepName


def status(
    sweep: SweepName,
    out: OutFolder = DEFAULT_OUT,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows of the leaderboard; all by default.")] = None,
) -> None:
    """Print a sweep's state, leaderboard, best setting and test reading."""
    from autohier.cli.driving import open_console, resume_command
    from autohier.data.datasets.references import reference_levels
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
    levels = reference_levels(plan.space.dataset, plan.space.num_classes)
    if levels:
        console.print(agreement_text(records, levels))
    if driver is None:
        console.print(f"continue: {resume_command(folder)}", soft_wrap=True)
