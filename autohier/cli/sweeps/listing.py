"""``autohier list``: print the sweeps in a folder."""

from __future__ import annotations

from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import DEFAULT_OUT, OutFolder


def list_sweeps(out: OutFolder = DEFAULT_OUT, as_json: JsonOutput = False, as_csv: CsvOutput = False) -> None:
    """Print the sweeps in a folder: dataset, state, trials, best estimate and age.

    A sweep is running, finished, stopped, or its driver is dead; the last two continue with autohier resume.
    """
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.errors import MissingDataError
    from autohier.reports.sweeps.summary import SweepSummary, read_summary, summary_table
    from autohier.sweep.paths import SweepFolder

    is_machine_readable = is_for_programs(as_json=as_json, as_csv=as_csv)
    if not out.is_dir():
        raise MissingDataError(
            "the folder of the sweeps must exist", got=out.absolute(), hint="name it with --out"
        )
    summaries = [read_summary(SweepFolder(path.parent)) for path in sorted(out.glob("*/sweep.json"))]
    if is_machine_readable:
        print_rows({"sweeps": summaries}, SweepSummary, summaries, as_json=as_json)
    elif not summaries:
        open_console().print(f"no sweep in {out}; start one with 'autohier search SPACE'", soft_wrap=True)
    else:
        open_console().print(summary_table(summaries, out))
