"""``autohier importances SWEEP``: print how much each hyperparameter matters."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.options import DEFAULT_OUT, OutFolder


def importances(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="Name or folder of a sweep.")],
    *,
    out: OutFolder = DEFAULT_OUT,
) -> None:
    """Print how much each hyperparameter matters for the accuracy, of at least 20 trials."""
    from autohier.cli.sweeps.run_sweep import open_console, read_whole_records
    from autohier.reports.trials.importances import importances_report
    from autohier.sweep.paths import find_sweep

    folder, console = find_sweep(sweep, out), open_console()
    plan, _ = folder.read_plan()
    console.print(importances_report(read_whole_records(folder, plan, console), plan))
