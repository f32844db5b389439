"""Shared by commands: the console, and running a sweep until it ends or a signal comes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from autohier.console import EscapingConsole

if TYPE_CHECKING:
    from autohier.config.sweep import SweepPlan
    from autohier.records.reader import Records
    from autohier.sweep.api import SweepResult
    from autohier.sweep.execution.signals import StopRequest
    from autohier.sweep.paths import SweepFolder

FAILED = 1
_TERMINAL_WIDTH = 160


def run_and_report(run: Callable[[Console], SweepResult]) -> None:
    """Run a sweep and print its leaderboard.

    Exits with 128 + the signal's number if a signal interrupted the sweep, i.e. 130 after Ctrl-C, 143
    after SIGTERM and 129 after SIGHUP, and with 1 if no trial is complete.

    Args:
        run: starts or resumes the sweep, with the console that shows its progress.
    """
    console = open_console()
    with stopping_on_signal(console, lambda text: text) as stop:
        result = run(console)
        print_result(result, console)
    if not result.complete:
        sys.exit(stop.exit_code)
    if result.best is None:
        sys.exit(FAILED)


@contextmanager
def stopping_on_signal(console: Console, late_text: Callable[[str], str]) -> Iterator[StopRequest]:
    """End the block's sweeps cleanly on a signal, and the process on a second one or if the block ends late.

    Args:
        console: console for the notices.
        late_text: returns what is printed before the process ends late, from `StopRequest.describe`.
    """
    from autohier.sweep.execution.signals import catch_signals

    notice = "stopping; a second signal (Ctrl-C) ends the sweep at once"
    with catch_signals(
        on_first=lambda: console.print(notice),
        on_late=lambda text: console.print(late_text(text), soft_wrap=True),
        may_exit=True,
    ) as stop:
        yield stop


def print_result(result: SweepResult, console: Console) -> None:
    """Print the report of a complete sweep, or what an interrupted one reached and how it continues."""
    from autohier.cli.results.sweep_pages import write_page_at_end
    from autohier.reports.sweeps.progress import duplicates_text, retry_text
    from autohier.reports.sweeps.report import sweep_report
    from autohier.sweep.choice.winner import read_chosen
    from autohier.sweep.driver import interruption_text
    from autohier.sweep.paths import SweepFolder

    folder = SweepFolder(result.folder)
    if not result.complete:
        console.print(interruption_text(folder, result.num_finished, result.target), soft_wrap=True)
        return
    plan, _ = folder.read_plan()
    records = read_chosen(folder, plan)
    console.print(sweep_report(records, limit=10))
    if retry := retry_text(records, folder.resume_command):
        console.print(retry, soft_wrap=True)
    if duplicates := duplicates_text(result.num_shared_test_clips, result.num_left_out_clips):
        console.print(duplicates, soft_wrap=True)
    if result.best is None:
        console.print(f"no trial is complete; see {folder.records} and {folder.log_file} for the reasons")
        return
    console.print(view_line(folder), soft_wrap=True)
    if page := write_page_at_end(folder, records):
        console.print(page, soft_wrap=True)
    console.print(extend_line(folder, plan), soft_wrap=True)


def view_line(folder: SweepFolder) -> str:
    """Return the line with the command that shows a sweep's curves."""
    return f"view:     {folder.view_command}"


def extend_line(folder: SweepFolder, plan: SweepPlan) -> str:
    """Return the line with the command that doubles a finished sweep: its budget if it has one."""
    options = [f"--budget-epochs {2 * plan.budget_epochs}"] if plan.budget_epochs else []
    options += [f"--budget-hours {2 * plan.budget_hours:g}"] if plan.budget_hours else []
    return " ".join([f"extend:   {folder.resume_command}", *(options or [f"--trials {2 * plan.trials}"])])


def read_whole_records(folder: SweepFolder, plan: SweepPlan, console: Console) -> Records:
    """Read a sweep's records, with what its study knows of trials whose records are not whole."""
    from autohier.sweep.recovery.record_check import read_checked

    checked = read_checked(folder, plan)
    if not checked.is_whole:
        console.print(
            f"WARNING: records of {plan.name} are lost or damaged: {checked.text()}", soft_wrap=True
        )
        console.print(f"'{folder.resume_command}' rebuilds them; the study's values stand in for them here")
    return checked.records


def open_console(*, for_programs: bool = False) -> Console:
    """Return standard output, wide unless it is a terminal, so that tables in logs are not cut.

    Args:
        for_programs: return standard error, as standard output is for JSON or CSV.
    """
    if for_programs:
        return EscapingConsole(highlight=False, markup=False, stderr=True)
    console = EscapingConsole(highlight=False, markup=False)
    if console.is_terminal:
        return console
    return EscapingConsole(highlight=False, markup=False, width=_TERMINAL_WIDTH)
