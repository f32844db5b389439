"""What commands share: driving a sweep, telling what it found or how to go on; names, the console."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from autohier.settings.sweep import SweepPlan
    from autohier.sweep.folder import SweepFolder

FAILED = 1
INTERRUPTED = 130
_TERMINAL_WIDTH = 160


def drive_and_tell(folder: SweepFolder, plan: SweepPlan) -> None:
    """Run what is left of a sweep and print its leaderboard; exits with 130 where it was interrupted.

    Raises:
        RepeatedFailureError: where the sweep stopped by itself.
    """
    from autohier.errors import RepeatedFailureError
    from autohier.records.reader import read_records
    from autohier.reports.leaderboard import report
    from autohier.sweep.driver import drive

    console = open_console()
    console.print(f"sweep {plan.name}: {plan.trials} settings of {plan.space.name}, in {folder.path}")
    try:
        end = drive(folder, plan, console)
    except KeyboardInterrupt:
        end = None
    if end is not None and end.halt is not None:
        raise RepeatedFailureError(
            "trials must not fail one after the other in the same way",
            got=f"{len(end.halt.numbers)} in a row ({end.halt.failure}), the last with '{end.halt.reason}'",
            remedy="mend the cause, or allow more with --failures-in-a-row; "
            f"'{resume_command(folder)}' runs their settings again",
        )
    if end is None or not end.complete:
        finished = "" if end is None else f" after {end.finished} of {end.target} settings"
        console.print(f"interrupted{finished}; nothing finished is lost. Continue with:")
        console.print(f"  {resume_command(folder)}", soft_wrap=True)
        sys.exit(INTERRUPTED)
    records = read_records(folder.records)
    console.print(report(records, limit=10))
    if not records.ranked():
        console.print(f"no trial is complete; the reasons are in {folder.records} and {folder.log_file}")
        sys.exit(FAILED)
    console.print("look:     ", f"tensorboard --logdir {folder.tensorboard}", soft_wrap=True)
    console.print("continue: ", f"{resume_command(folder)} --trials {2 * plan.trials}", soft_wrap=True)


def resume_command(folder: SweepFolder) -> str:
    """The command that takes a sweep up again, from the present folder."""
    return f"autohier resume {_short(folder.path)}"


def time_name(prefix: str) -> str:
    """A name for what the user gave none, e.g. "demo-20260102-150405"; UTC."""
    return f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def open_console() -> Console:
    """Standard output, wide where it is not a terminal, so that tables in logs are not cut."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_TERMINAL_WIDTH)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
