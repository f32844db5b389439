"""``autohier compare A B...``: compare the leading configs of sweeps."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import DEFAULT_OUT, OutFolder
from autohier.errors import InputError


def compare(
    sweeps: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP SWEEP...",
            help="Names or folders of sweeps; each is compared with the first.",
        ),
    ],
    out: OutFolder = DEFAULT_OUT,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
) -> None:
    """Compare the leading configs of sweeps by validation accuracy, and print how they differ.

    If both were confirmed on the same validation clips, the difference is paired clip by clip over fresh
    seeds; otherwise it is that of the estimates. Test results play no part.
    """
    from autohier.cli.sweeps.run_sweep import open_console, read_whole_records
    from autohier.reports.sweeps import comparison
    from autohier.sweep.paths import find_sweep

    is_machine_readable = is_for_programs(as_json=as_json, as_csv=as_csv)
    if len(sweeps) < 2:
        raise InputError("a comparison needs at least two sweeps", got=", ".join(sweeps), hint="name another")
    console = open_console(for_programs=is_machine_readable)
    folders = [find_sweep(sweep, out) for sweep in sweeps]
    plans = [folder.read_plan()[0] for folder in folders]
    read = [
        comparison.ComparedSweep(plan, read_whole_records(folder, plan, console))
        for folder, plan in zip(folders, plans, strict=True)
    ]
    if not is_machine_readable:
        console.print(comparison.comparison_report(read))
        return
    leaders = comparison.leading_configs(read)
    parts = {
        "sweeps": leaders,
        "differences": comparison.sweep_differences(read),
        "settings": comparison.config_differences(read),
    }
    print_rows(parts, comparison.LeadingConfig, leaders, as_json=as_json)
