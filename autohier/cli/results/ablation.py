"""``autohier ablation SWEEP``: print HAC's ablation tables for a sweep."""

from __future__ import annotations

from typing import Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import DEFAULT_OUT, OutFolder, SweepName
from autohier.errors import InputError


def ablation(
    sweep: SweepName,
    out: OutFolder = DEFAULT_OUT,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print a LaTeX table for the package booktabs.")
    ] = False,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
) -> None:
    """Print the accuracy after each step of the method: flat, hierarchy, k-pass pruning by scope.

    Accuracies are those of validation clips; only under paper validation test accuracies, where the sweep
    has them. Chains of other scopes than the best trial's come from the trial that differs least from it.
    The first row is the flat baseline without cropping, if a sweep in the same folder trained the same pass 1
    on clips prepared with --no-crop.
    """
    from autohier.cli.sweeps.run_sweep import open_console, read_whole_records
    from autohier.reports.trials import ablation as tables
    from autohier.reports.trials.uncropped import find_uncropped
    from autohier.sweep.paths import find_sweep

    is_machine_readable = is_for_programs(as_json=as_json, as_csv=as_csv)
    if latex and is_machine_readable:
        raise InputError("--latex, --json and --csv are forms of one output", hint="give one of them")
    folder = find_sweep(sweep, out)
    plan, _ = folder.read_plan()
    records = read_whole_records(folder, plan, open_console(for_programs=is_machine_readable or latex))
    uncropped = find_uncropped(folder, records)
    if latex:
        echo(tables.ablation_latex(records, uncropped))
    elif is_machine_readable:
        rows = tables.ablation(records, uncropped)
        print_rows({"ablation": rows}, tables.AblationRow, rows, as_json=as_json)
    else:
        open_console().print(tables.ablation_report(records, uncropped))
