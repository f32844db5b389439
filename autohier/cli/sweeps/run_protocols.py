"""Shared by commands: running a sweep per protocol, and the table of their results."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from autohier.cli.sweeps.run_sweep import (
    FAILED,
    open_console,
    print_result,
    read_whole_records,
    stopping_on_signal,
)

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.reports.protocols import WinnerTestResult
    from autohier.sweep.api import SweepResult
    from autohier.sweep.paths import SweepFolder
    from autohier.sweep.protocol_sweeps import ProtocolResults


def run_and_report_protocols(
    run: Callable[[Console, Callable[[SweepResult], None]], ProtocolResults], *, command: Sequence[str]
) -> None:
    """Run a sweep per protocol; print the result of each as it ends, and then their mean.

    Exits with 128 + the signal's number if a signal interrupted the command, i.e. 130 after Ctrl-C, and
    with 1 if a sweep has no complete trial.

    Args:
        run: runs the sweeps, with the console that shows their progress and the function to call with each
            result.
        command: command line that continues them.
    """
    from autohier.sweep.paths import SweepFolder

    console = open_console()
    again = f"finished sweeps, trials and stages are kept. Continue with:\n  {shlex.join(command)}"

    def report(result: SweepResult) -> None:
        if result.complete:
            print_result(result, console)

    with stopping_on_signal(console, lambda _: f"interrupted; {again}") as stop:
        ended = run(console, report)
        winners = [SweepFolder(result.folder) for result in ended.results if result.best]
        if not ended.complete:
            console.print(f"interrupted {_reached(ended)}; {again}", soft_wrap=True)
        elif len(winners) < len(ended.sweeps):
            console.print("no mean: not every protocol has a complete trial")
        else:
            print_mean(winners, console)
            names = " ".join(str(folder.path) for folder in winners)
            console.print(f"table again: autohier status {names}", soft_wrap=True)
    if not ended.complete:
        sys.exit(stop.exit_code)
    if len(winners) < len(ended.sweeps):
        sys.exit(FAILED)


def _reached(ended: ProtocolResults) -> str:
    """Return what interrupted sweeps have reached."""
    from autohier.config.sweep import finished_text

    num_complete = sum(result.complete for result in ended.results)
    text = f"after {num_complete} of {len(ended.sweeps)} protocols"
    cut = [result for result in ended.results if not result.complete]
    return text + "".join(f" and {finished_text(one.num_finished, one.target)} of {one.name}" for one in cut)


def read_winners(folders: Sequence[SweepFolder], console: Console) -> tuple[WinnerTestResult, ...]:
    """Return the test results of the winners of sweeps under different protocols."""
    from autohier.reports.protocols import read_winner_test_results

    plans = [folder.read_plan()[0] for folder in folders]
    records = [read_whole_records(folder, plan, console) for folder, plan in zip(folders, plans, strict=True)]
    return read_winner_test_results([(plan.name, each) for plan, each in zip(plans, records, strict=True)])


def print_mean(folders: Sequence[SweepFolder], console: Console) -> None:
    """Print the test accuracies of sweeps under different protocols, and their mean."""
    from autohier.reports.protocols import protocol_table

    console.print(protocol_table(read_winners(folders, console)))
    plans = [folder.read_plan()[0] for folder in folders]
    first, *others = (plan.space.model_dump(exclude={"name", "description", "protocol"}) for plan in plans)
    differing = [key for key in first if any(other[key] != first[key] for other in others)]
    if differing:
        console.print(
            f"WARNING: these sweeps differ not only in their protocol, but also in {', '.join(differing)}"
        )
